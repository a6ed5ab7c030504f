INSERT INTO series (object, step_s, start_ms, data) VALUES ($1, $2, $3, $4)
ON CONFLICT (object, step_s, start_ms) DO UPDATE SET data = excluded.data
