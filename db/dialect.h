/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialect - what the engines write differently, as tokens in shared SQL.
 *
 *   {blob}         type of ids and hashes
 *   {now_ms}       the database's clock, Unix milliseconds
 *   {skip_locked}  end of a SELECT that takes rows others do not hold
 *   {collate}      compare text by its bytes, so that paging order is the same everywhere
 *   {clustered}    end of CREATE TABLE: keep rows in the order of the primary key, where the engine
 * can
 *
 * Threads: any.
 */
#pragma once

/* The text for SQLite; owned by the caller (free), NULL: out of memory or an unknown token. */
char *dialect_sqlite(const char *text);
