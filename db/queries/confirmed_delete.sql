DELETE FROM provider_sync WHERE provider = $1
