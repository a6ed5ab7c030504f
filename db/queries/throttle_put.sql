INSERT INTO throttle (name, failures, last_ms) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET failures = excluded.failures, last_ms = excluded.last_ms
