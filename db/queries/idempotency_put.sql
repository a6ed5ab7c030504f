INSERT INTO idempotency (principal, name, request_hash, status, headers, body, created_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (principal, name) DO UPDATE SET request_hash = excluded.request_hash, status = excluded.status,
    headers = excluded.headers, body = excluded.body, created_ms = excluded.created_ms
