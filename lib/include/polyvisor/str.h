/* SPDX-License-Identifier: Apache-2.0 */
/*
 * str - text helpers: bounded copying, numbers, UTF-8, case folding, hex.
 *
 * All functions are pure; any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

/* Copy with NUL, cut at a UTF-8 boundary if dst is too small; false when it was cut. */
bool str_copy(char *dst, size_t cap, const char *src);
bool str_copy_n(char *dst, size_t cap, const char *src, size_t len);
bool str_eq(const char *a, const char *b);          /* NULL equals NULL only */
bool str_starts(const char *text, const char *prefix);
bool str_ends(const char *text, const char *suffix);
/* Whole text must be a decimal number in range; false and *out untouched otherwise. No sign for u64, no spaces. */
bool str_u64(const char *text, size_t len, uint64_t max, uint64_t *out);
bool str_i64(const char *text, size_t len, int64_t *out);
/* Valid UTF-8 without NUL (and, if asked, without control bytes other than \t \n)? */
bool str_utf8_ok(const char *text, size_t len, bool allow_control);
/* Append `text` with invalid sequences and control bytes (other than \t \n) replaced by U+FFFD. */
void str_utf8_clean(struct buf *out, const char *text, size_t len);
/* Append the simple lower case folding of UTF-8 text, for comparing without case: ASCII, Latin-1 and
 * Latin Extended-A, Greek, Cyrillic; everything else as it is. Same result on every machine. */
void str_fold(struct buf *out, const char *text, size_t len);
/* Match with * and ? against folded or plain text; no backtracking blow-up. */
bool str_wildcard(const char *pattern, size_t plen, const char *text, size_t tlen);
void str_hex(const uint8_t *data, size_t len, char *out /* 2*len+1 */);
bool str_unhex(const char *text, size_t len, uint8_t *out /* len/2 */);
/* Base64 (RFC 4648, section 4) and base64url without padding (section 5). */
void str_base64(struct buf *out, const uint8_t *data, size_t len);
void str_base64url(struct buf *out, const uint8_t *data, size_t len);
bool str_unbase64url(const char *text, size_t len, uint8_t *out, size_t cap, size_t *out_len);
bool str_unbase64(const char *text, size_t len, uint8_t *out, size_t cap, size_t *out_len);
/* Same time for equal lengths wherever they differ. */
bool str_eq_const_time(const void *a, const void *b, size_t len);
/* Edit distance up to `limit` (then limit + 1); for "did you mean". */
unsigned str_distance(const char *a, const char *b, unsigned limit);
/* Whole file into *out (owned, NUL-terminated), at most `max` bytes. */
struct pv_err;
int str_read_file(const char *path, size_t max, char **out, size_t *len, struct pv_err *err);
/* Write beside, fsync, rename over: readers see the old file or the whole new one. `mode` as for open(2). */
int str_write_file(const char *path, const void *data, size_t len, unsigned mode,
                   struct pv_err *err);
