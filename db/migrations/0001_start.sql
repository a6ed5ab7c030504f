-- What is not a kind of the model. The kinds' own tables follow from the model (db/kinds.c).

CREATE TABLE counter (
    name TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);

CREATE TABLE setting (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- When a provider last confirmed everything of it.
CREATE TABLE provider_sync (
    provider {blob} NOT NULL PRIMARY KEY,
    confirmed_ms BIGINT NOT NULL
);

-- Browser sessions; the key is the SHA-256 of the cookie.
CREATE TABLE login (
    hash {blob} NOT NULL PRIMARY KEY,
    user_id {blob} NOT NULL,
    created_ms BIGINT NOT NULL,
    last_used_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    csrf TEXT NOT NULL,
    address TEXT NOT NULL,
    agent TEXT NOT NULL
);
CREATE INDEX login_user ON login (user_id);
CREATE INDEX login_expires ON login (expires_ms);

-- Failed sign-ins by user or address.
CREATE TABLE throttle (
    name TEXT NOT NULL PRIMARY KEY,
    failures BIGINT NOT NULL,
    last_ms BIGINT NOT NULL
);

-- Answered requests that carried an Idempotency-Key.
CREATE TABLE idempotency (
    principal {blob} NOT NULL,
    name TEXT NOT NULL,
    request_hash {blob} NOT NULL,
    status BIGINT NOT NULL,
    headers TEXT NOT NULL,
    body TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (principal, name)
);
CREATE INDEX idempotency_created ON idempotency (created_ms);

-- What free words find: the folded words of an object, between newlines. The trigram index over it is the engine's own.
CREATE TABLE search_doc (
    doc INTEGER NOT NULL PRIMARY KEY,
    kind BIGINT NOT NULL,
    id {blob} NOT NULL,
    provider {blob},
    gone BIGINT NOT NULL,
    name TEXT NOT NULL,
    name_f TEXT NOT NULL {collate},
    words TEXT NOT NULL
);
CREATE UNIQUE INDEX search_doc_id ON search_doc (id);
CREATE INDEX search_doc_name ON search_doc (name_f);
