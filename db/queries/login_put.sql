INSERT INTO login (hash, user_id, created_ms, last_used_ms, expires_ms, csrf, address, agent)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (hash) DO UPDATE SET last_used_ms = excluded.last_used_ms, expires_ms = excluded.expires_ms,
    csrf = excluded.csrf, address = excluded.address, agent = excluded.agent
