/* SPDX-License-Identifier: Apache-2.0 */
/*
 * totp - one-time passwords by the clock (RFC 6238 on RFC 4226): SHA-1, six
 * digits, steps of thirty seconds, as every authenticator app has them.
 *
 * Pure but for totp_key(). Threads: any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOTP_KEY 20      /* bytes: the length of the hash, as RFC 4226 asks for */
#define TOTP_KEY_TEXT 33 /* in base32, with its end */
#define TOTP_STEP_MS 30000
#define TOTP_DRIFT 1 /* steps that a clock may be off */

/* A key by chance. */
void totp_key(uint8_t out[TOTP_KEY]);
/* RFC 4648 base32 without padding. */
void totp_key_text(const uint8_t key[TOTP_KEY], char out[TOTP_KEY_TEXT]);
bool totp_key_parse(const char *text, uint8_t out[TOTP_KEY]);
/* The code of a step, `digits` 6 to 8. false: no memory. */
bool totp_code(const uint8_t *key, size_t len, uint64_t step, unsigned digits, uint32_t *out);
/* Is it the code of a step near now_ms that comes after `newest`? *step: which. */
bool totp_check(const uint8_t key[TOTP_KEY], const char *code, int64_t now_ms, uint64_t newest, uint64_t *step);
