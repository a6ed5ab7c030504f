UPDATE search_doc SET provider = $1, gone = $2, name = $3, name_f = $4, words = $5 WHERE doc = $6
