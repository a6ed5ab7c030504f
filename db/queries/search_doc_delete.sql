DELETE FROM search_doc WHERE doc = $1
