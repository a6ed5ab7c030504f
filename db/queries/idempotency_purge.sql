DELETE FROM idempotency WHERE (principal, name) IN
    (SELECT principal, name FROM idempotency WHERE created_ms < $1 LIMIT $2)
