SELECT doc, words, gone, name FROM search_doc WHERE id = $1
