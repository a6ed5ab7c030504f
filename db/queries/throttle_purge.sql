DELETE FROM throttle WHERE name IN (SELECT name FROM throttle WHERE last_ms < $1 LIMIT $2)
