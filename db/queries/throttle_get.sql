SELECT failures, last_ms FROM throttle WHERE name = $1
