SELECT hash, user_id, created_ms, last_used_ms, expires_ms, csrf, address, agent
FROM login WHERE hash = $1
