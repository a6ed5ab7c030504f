DELETE FROM series WHERE (object, step_s, start_ms) IN
    (SELECT object, step_s, start_ms FROM series WHERE step_s = $1 AND start_ms < $2 LIMIT $3)
