/* SPDX-License-Identifier: Apache-2.0 */
#include "server/auth/totp.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <polyvisor/id.h>
#include <polyvisor/str.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

void totp_key(uint8_t out[TOTP_KEY])
{
    id_random(out, TOTP_KEY);
}

void totp_key_text(const uint8_t key[TOTP_KEY], char out[TOTP_KEY_TEXT])
{
    for (size_t i = 0; i < TOTP_KEY_TEXT - 1; i++) {
        size_t bit = i * 5, byte = bit / 8, shift = bit % 8;
        unsigned two = (unsigned)key[byte] << 8 | (byte + 1 < TOTP_KEY ? key[byte + 1] : 0u);

        out[i] = alphabet[two >> (11 - shift) & 31];
    }
    out[TOTP_KEY_TEXT - 1] = '\0';
}

bool totp_key_parse(const char *text, uint8_t out[TOTP_KEY])
{
    memset(out, 0, TOTP_KEY);
    if (strlen(text) != TOTP_KEY_TEXT - 1)
        return false;
    for (size_t i = 0; i < TOTP_KEY_TEXT - 1; i++) {
        const char *at = strchr(alphabet, text[i]);
        size_t bit = i * 5;

        if (!at)
            return false;
        for (size_t k = 0; k < 5; k++)
            if ((unsigned)(at - alphabet) >> (4 - k) & 1)
                out[(bit + k) / 8] |= (uint8_t)(0x80u >> (bit + k) % 8);
    }
    return true;
}

/* RFC 4226 5.3: four bytes of the hash, from where its last four bits say. */
bool totp_code(const uint8_t *key, size_t len, uint64_t step, unsigned digits, uint32_t *out)
{
    static const uint32_t powers[] = { 1000000, 10000000, 100000000 };
    unsigned char hash[EVP_MAX_MD_SIZE];
    uint8_t message[8];
    unsigned n = 0, at;

    for (size_t i = 0; i < sizeof(message); i++)
        message[i] = (uint8_t)(step >> (56 - 8 * i));
    if (digits < 6 || digits > 8 || !HMAC(EVP_sha1(), key, (int)len, message, sizeof(message), hash, &n) || n != 20)
        return false;
    at = hash[19] & 15;
    *out = ((uint32_t)(hash[at] & 0x7f) << 24 | (uint32_t)hash[at + 1] << 16 | (uint32_t)hash[at + 2] << 8 |
            hash[at + 3]) % powers[digits - 6];
    return true;
}

bool totp_check(const uint8_t key[TOTP_KEY], const char *code, int64_t now_ms, uint64_t newest, uint64_t *step)
{
    uint64_t wanted, now = (uint64_t)(now_ms / TOTP_STEP_MS);
    bool right = false;

    if (strlen(code) != 6 || !str_u64(code, 6, 999999, &wanted))
        return false;
    for (uint64_t s = now - TOTP_DRIFT; s <= now + TOTP_DRIFT; s++) {
        uint32_t made;

        if (totp_code(key, TOTP_KEY, s, 6, &made) && made == (uint32_t)wanted && s > newest && !right) {
            *step = s;
            right = true;
        }
    }
    return right;
}
