SELECT start_ms, data FROM series WHERE object = $1 AND step_s = $2 AND start_ms >= $3 AND start_ms < $4
ORDER BY start_ms
