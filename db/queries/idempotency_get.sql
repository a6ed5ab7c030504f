SELECT request_hash, status, headers, body, created_ms
FROM idempotency WHERE principal = $1 AND name = $2 AND created_ms > $3
