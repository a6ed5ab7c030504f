INSERT INTO provider_sync (provider, confirmed_ms) VALUES ($1, $2)
ON CONFLICT (provider) DO UPDATE SET confirmed_ms = excluded.confirmed_ms
WHERE provider_sync.confirmed_ms < excluded.confirmed_ms
