DELETE FROM login WHERE user_id = $1
