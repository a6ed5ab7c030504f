SELECT data FROM series WHERE object = $1 AND step_s = $2 AND start_ms = $3
