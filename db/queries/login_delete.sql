DELETE FROM login WHERE hash = $1
