SELECT hash, user_id, created_ms, last_used_ms, expires_ms, csrf, address, agent
FROM login WHERE user_id = $1 ORDER BY created_ms, hash LIMIT 1000
