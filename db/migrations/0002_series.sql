-- Numbers over time, packed: one row holds all metrics of an object for some hours (db/series.c).
CREATE TABLE series (
    object {blob} NOT NULL,
    step_s BIGINT NOT NULL,
    start_ms BIGINT NOT NULL,
    data {blob} NOT NULL,
    PRIMARY KEY (object, step_s, start_ms)
);
CREATE INDEX series_age ON series (step_s, start_ms);
