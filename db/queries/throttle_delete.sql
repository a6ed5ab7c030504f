DELETE FROM throttle WHERE name = $1
