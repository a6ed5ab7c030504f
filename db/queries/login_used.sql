UPDATE login SET last_used_ms = $2 WHERE hash = $1
