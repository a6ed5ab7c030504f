DELETE FROM login WHERE hash IN (SELECT hash FROM login WHERE expires_ms < $1 LIMIT $2)
