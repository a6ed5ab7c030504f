INSERT INTO search_doc (kind, id, provider, gone, name, name_f, words)
VALUES ($1, $2, $3, $4, $5, $6, $7)
