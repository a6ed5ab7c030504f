/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/wmi/auth_ntlm.h"

#include <locale.h>
#include <string.h>
#include <wctype.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/id.h>
#include <polyvisor/str.h>
#include <polyvisor/utf8.h>

#define CHALLENGE_LEAST 48u
#define TEXT_MOST 4096u
#define INFO_MOST 32768u
#define MESSAGE_HEAD 88u /* of the third message, with version and MIC */
#define MIC_AT 72u

#define UNICODE 0x00000001u
#define REQUEST_TARGET 0x00000004u
#define SIGN 0x00000010u
#define SEAL 0x00000020u
#define NTLM 0x00000200u
#define ALWAYS_SIGN 0x00008000u
#define EXTENDED 0x00080000u
#define TARGET_INFO 0x00800000u
#define VERSION 0x02000000u
#define KEY_128 0x20000000u
#define KEY_EXCHANGE 0x40000000u
#define KEY_56 0x80000000u
#define WANTED                                                                                     \
    (UNICODE | REQUEST_TARGET | SIGN | SEAL | NTLM | ALWAYS_SIGN | EXTENDED | TARGET_INFO |        \
     VERSION | KEY_128 | KEY_EXCHANGE | KEY_56)
#define NEEDED (UNICODE | NTLM | EXTENDED | TARGET_INFO | KEY_128 | KEY_EXCHANGE | SIGN | SEAL)

enum { AV_END = 0, AV_FLAGS = 6, AV_TIME = 7, AV_TARGET = 9, AV_BINDING = 10 };

/* ------------------------------------------------------------------ digests */

static uint32_t rotate(uint32_t v, unsigned n)
{
    return v << n | v >> (32 - n);
}

static uint32_t le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put32(uint8_t *p, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

/* One block of MD4 (RFC 1320), which OpenSSL keeps in a provider that is not loaded. */
static void md4_block(uint32_t state[4], const uint8_t *block)
{
    static const uint8_t shifts[3][4] = { { 3, 7, 11, 19 }, { 3, 5, 9, 13 }, { 3, 9, 11, 15 } };
    static const uint8_t order[3][16] = {
        { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
        { 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15 },
        { 0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15 },
    };
    static const uint32_t add[3] = { 0, 0x5a827999u, 0x6ed9eba1u };
    uint32_t v[4];

    memcpy(v, state, sizeof(v));
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 16; i++) {
            uint32_t *a = &v[(16 - i) & 3], b = v[(17 - i) & 3], c = v[(18 - i) & 3],
                     d = v[(19 - i) & 3];
            uint32_t f = round == 0   ? (b & c) | (~b & d)
                         : round == 1 ? (b & c) | (b & d) | (c & d)
                                      : b ^ c ^ d;

            *a = rotate(*a + f + le32(block + 4 * order[round][i]) + add[round],
                        shifts[round][i & 3]);
        }
    }
    for (unsigned i = 0; i < 4; i++)
        state[i] += v[i];
}

static void md4(const uint8_t *data, size_t len, uint8_t out[16])
{
    uint32_t state[4] = { 0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u };
    uint8_t tail[128] = { 0 };
    size_t whole = len / 64 * 64, rest = len - whole, end = rest < 56 ? 64 : 128;

    for (size_t i = 0; i < whole; i += 64)
        md4_block(state, data + i);
    memcpy(tail, data + whole, rest);
    tail[rest] = 0x80;
    put32(tail + end - 8, (uint32_t)(len << 3));
    put32(tail + end - 4, (uint32_t)((uint64_t)len >> 29));
    for (size_t i = 0; i < end; i += 64)
        md4_block(state, tail + i);
    for (unsigned i = 0; i < 4; i++)
        put32(out + 4 * i, state[i]);
    OPENSSL_cleanse(tail, sizeof(tail));
}

static bool md5(const void *a, size_t alen, const void *b, size_t blen, uint8_t out[16])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestInit_ex(ctx, EVP_md5(), NULL) == 1 &&
              EVP_DigestUpdate(ctx, a, alen) == 1 && EVP_DigestUpdate(ctx, b, blen) == 1 &&
              EVP_DigestFinal_ex(ctx, out, NULL) == 1;

    EVP_MD_CTX_free(ctx);
    return ok;
}

static bool hmac(const uint8_t key[16], const void *data, size_t len, uint8_t out[16])
{
    unsigned n = 16;

    return HMAC(EVP_md5(), key, 16, data, len, out, &n) != NULL && n == 16;
}

static void rc4_key(struct ntlm_stream *r, const uint8_t key[16])
{
    uint8_t j = 0, t;

    for (unsigned i = 0; i < 256; i++)
        r->s[i] = (uint8_t)i;
    for (unsigned i = 0; i < 256; i++) {
        j = (uint8_t)(j + r->s[i] + key[i & 15]);
        t = r->s[i];
        r->s[i] = r->s[j];
        r->s[j] = t;
    }
    r->i = r->j = 0;
}

static void rc4(struct ntlm_stream *r, const uint8_t *in, uint8_t *out, size_t len)
{
    for (size_t k = 0; k < len; k++) {
        uint8_t t;

        r->i++;
        r->j = (uint8_t)(r->j + r->s[r->i]);
        t = r->s[r->i];
        r->s[r->i] = r->s[r->j];
        r->s[r->j] = t;
        out[k] = in[k] ^ r->s[(uint8_t)(r->s[r->i] + r->s[r->j])];
    }
}

/* ------------------------------------------------------------------ texts */

static uint32_t code_point(const char *at, size_t n)
{
    static const uint8_t first[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    uint32_t c = (unsigned char)at[0] & first[n];

    for (size_t i = 1; i < n; i++)
        c = c << 6 | ((unsigned char)at[i] & 0x3f);
    return c;
}

/* Windows compares names in upper case, whatever letters they have. */
static uint32_t upper(uint32_t c, locale_t everywhere)
{
    if (everywhere != (locale_t)0)
        return (uint32_t)towupper_l((wint_t)c, everywhere);
    return c >= 'a' && c <= 'z' ? c - 32 : c;
}

static void put_utf16(struct buf *out, const char *text, size_t len, bool uppercase)
{
    locale_t everywhere =
        uppercase ? newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0) : (locale_t)0;

    for (size_t i = 0; i < len;) {
        size_t n = utf8_length(text + i, len - i);
        uint32_t c = n ? code_point(text + i, n) : 0xfffd;

        if (uppercase && c < 0x10000)
            c = upper(c, everywhere);
        if (c >= 0x10000) {
            uint32_t high = 0xd800 + ((c - 0x10000) >> 10);

            buf_char(out, (char)(high & 0xff));
            buf_char(out, (char)(high >> 8));
            c = 0xdc00 + ((c - 0x10000) & 0x3ff);
        }
        buf_char(out, (char)(c & 0xff));
        buf_char(out, (char)(c >> 8));
        i += n ? n : 1;
    }
    if (everywhere != (locale_t)0)
        freelocale(everywhere);
}

/* DOMAIN\user; anything else is all user, which the server takes apart. */
static void split_user(const char *account, const char **domain, size_t *domain_len,
                       const char **user)
{
    const char *slash = strchr(account, '\\');

    *domain = account;
    *domain_len = slash ? (size_t)(slash - account) : 0;
    *user = slash ? slash + 1 : account;
}

/* ------------------------------------------------------------------ messages */

static const uint8_t version[8] = { 10, 0, 0, 0, 0, 0, 0, 15 };

void ntlm_begin(struct ntlm *n, struct buf *out)
{
    memset(n, 0, sizeof(*n));
    memcpy(n->negotiate, "NTLMSSP", 8);
    put32(n->negotiate + 8, 1);
    put32(n->negotiate + 12, WANTED);
    memcpy(n->negotiate + 32, version, sizeof(version));
    buf_append(out, n->negotiate, sizeof(n->negotiate));
}

struct challenge {
    uint8_t server[8];
    const uint8_t *info; /* target information */
    size_t info_len;
    uint32_t flags;
    bool has_time;
    uint8_t time[8];
};

static bool read_challenge(const uint8_t *m, size_t len, struct challenge *out)
{
    size_t info_len, at;

    memset(out, 0, sizeof(*out));
    if (len < CHALLENGE_LEAST || memcmp(m, "NTLMSSP", 8) != 0 || le32(m + 8) != 2)
        return false;
    out->flags = le32(m + 20);
    memcpy(out->server, m + 24, 8);
    info_len = (size_t)m[40] | (size_t)m[41] << 8;
    at = le32(m + 44);
    if (at > len || info_len > len - at || info_len > INFO_MOST)
        return false;
    out->info = m + at;
    out->info_len = info_len;
    /* Pairs of number, length, value; ended by number 0. */
    for (size_t i = 0; i + 4 <= info_len;) {
        unsigned id = out->info[i] | (unsigned)out->info[i + 1] << 8;
        size_t n = out->info[i + 2] | (size_t)out->info[i + 3] << 8;

        if (id == AV_END) {
            out->info_len = i; /* we write our own end */
            return true;
        }
        if (n > info_len - i - 4)
            return false;
        if (id == AV_TIME && n == 8) {
            memcpy(out->time, out->info + i + 4, 8);
            out->has_time = true;
        }
        i += 4 + n;
    }
    return info_len == 0;
}

static void put_pair(struct buf *out, unsigned id, const void *value, size_t len)
{
    const uint8_t head[4] = { (uint8_t)id, (uint8_t)(id >> 8), (uint8_t)len, (uint8_t)(len >> 8) };

    buf_append(out, head, sizeof(head));
    buf_append(out, value, len);
}

/* RFC 5929's end point binding, as a hash over GSS-API's structure of it. */
static bool channel_hash(const struct ntlm_account *account, uint8_t out[16])
{
    static const char prefix[] = "tls-server-end-point:";
    uint8_t data[20 + sizeof(prefix) - 1 + 64] = { 0 };
    size_t len = sizeof(prefix) - 1 + account->channel_len;

    if (account->channel_len == 0 || account->channel_len > 64)
        return false;
    put32(data + 16, (uint32_t)len);
    memcpy(data + 20, prefix, sizeof(prefix) - 1);
    memcpy(data + 20 + sizeof(prefix) - 1, account->channel, account->channel_len);
    return md5(data, 20 + len, "", 0, out);
}

/* What the server told about itself, and what we add for it to check. */
static void put_info(struct buf *out, const struct challenge *c, const struct ntlm_account *account)
{
    static const uint8_t has_mic[4] = { 2, 0, 0, 0 };
    uint8_t hash[16];
    struct buf name;

    buf_append(out, c->info, c->info_len);
    if (c->has_time) {
        put_pair(out, AV_FLAGS, has_mic, sizeof(has_mic));
        if (channel_hash(account, hash))
            put_pair(out, AV_BINDING, hash, sizeof(hash));
        if (account->service) {
            buf_init(&name, TEXT_MOST);
            put_utf16(&name, account->service, strlen(account->service), false);
            put_pair(out, AV_TARGET, name.data, name.len);
            buf_free(&name);
        }
    }
    put_pair(out, AV_END, NULL, 0);
}

/* HMAC of name and domain with the password's hash: what proves that we know it. */
static bool make_key(const struct ntlm_account *account, uint8_t out[16])
{
    const char *domain, *user;
    size_t domain_len;
    uint8_t hash[16];
    struct buf text;
    bool ok;

    split_user(account->user, &domain, &domain_len, &user);
    buf_init(&text, TEXT_MOST);
    put_utf16(&text, account->password, strlen(account->password), false);
    ok = buf_ok(&text);
    if (ok)
        md4((const uint8_t *)(text.data ? text.data : ""), text.len, hash);
    if (text.data)
        OPENSSL_cleanse(text.data, text.len);
    buf_reset(&text);
    put_utf16(&text, user, strlen(user), true);
    put_utf16(&text, domain, domain_len, false);
    ok = ok && buf_ok(&text) && hmac(hash, text.data ? text.data : "", text.len, out);
    buf_free(&text);
    OPENSSL_cleanse(hash, sizeof(hash));
    return ok;
}

static void derive(struct ntlm *n)
{
    static const char sign_c[] = "session key to client-to-server signing key magic constant";
    static const char sign_s[] = "session key to server-to-client signing key magic constant";
    static const char seal_c[] = "session key to client-to-server sealing key magic constant";
    static const char seal_s[] = "session key to server-to-client sealing key magic constant";
    uint8_t key[16];

    /* With the terminating zero. */
    n->ready = md5(n->exported, 16, sign_c, sizeof(sign_c), n->send_key) &&
               md5(n->exported, 16, sign_s, sizeof(sign_s), n->receive_key) &&
               md5(n->exported, 16, seal_c, sizeof(seal_c), key);
    rc4_key(&n->send, key);
    n->ready = n->ready && md5(n->exported, 16, seal_s, sizeof(seal_s), key);
    rc4_key(&n->receive, key);
    OPENSSL_cleanse(key, sizeof(key));
}

/* Length, room and place of one part of the third message, and the part itself. */
static void put_part(struct buf *message, size_t field, const void *data, size_t len)
{
    uint8_t *at = (uint8_t *)message->data + field;

    at[0] = at[2] = (uint8_t)len;
    at[1] = at[3] = (uint8_t)(len >> 8);
    put32(at + 4, (uint32_t)message->len);
    buf_append(message, data, len);
}

static void put_message(struct buf *message, const struct ntlm_account *account,
                        const struct challenge *c, const struct buf *proof, const uint8_t lm[24],
                        const uint8_t key[16])
{
    uint8_t head[MESSAGE_HEAD] = { 0 };
    const char *domain, *user;
    size_t domain_len;
    struct buf name;

    memcpy(head, "NTLMSSP", 8);
    put32(head + 8, 3);
    put32(head + 60, c->flags & WANTED);
    memcpy(head + 64, version, sizeof(version));
    buf_append(message, head, sizeof(head));
    if (!buf_ok(message))
        return;
    split_user(account->user, &domain, &domain_len, &user);
    buf_init(&name, TEXT_MOST);
    put_utf16(&name, domain, domain_len, false);
    put_part(message, 28, name.data, name.len);
    buf_reset(&name);
    put_utf16(&name, user, strlen(user), false);
    put_part(message, 36, name.data, name.len);
    buf_free(&name);
    put_part(message, 44, NULL, 0);
    put_part(message, 12, lm, 24);
    put_part(message, 20, proof->data, proof->len);
    put_part(message, 52, key, 16);
}

/* The MIC stands over all three messages. */
static bool put_mic(const struct ntlm *n, const uint8_t *challenge, size_t len, struct buf *message)
{
    struct buf all;
    bool ok;

    buf_init(&all, sizeof(n->negotiate) + len + message->len + 1);
    buf_append(&all, n->negotiate, sizeof(n->negotiate));
    buf_append(&all, challenge, len);
    buf_append(&all, message->data, message->len);
    ok = buf_ok(&all) && hmac(n->exported, all.data, all.len, (uint8_t *)message->data + MIC_AT);
    buf_free(&all);
    return ok;
}

static void take_chance(struct ntlm_chance *out)
{
    id_random(out->client, sizeof(out->client));
    id_random(out->session, sizeof(out->session));
    out->time = ((uint64_t)clock_wall_ms() + 11644473600000ull) * 10000;
}

/* NTProofStr and what it was made of: the answer to the challenge. */
static bool make_proof(const uint8_t key[16], const struct challenge *c,
                       const struct ntlm_account *account, const struct ntlm_chance *chance,
                       struct buf *proof)
{
    static const uint8_t zero[16];
    uint8_t digest[16], stamp[8];
    struct buf text;
    bool ok;

    put32(stamp, (uint32_t)chance->time);
    put32(stamp + 4, (uint32_t)(chance->time >> 32));
    buf_init(&text, INFO_MOST + TEXT_MOST);
    buf_append(&text, c->server, 8);
    buf_append(&text, "\x01\x01", 2);
    buf_append(&text, zero, 6);
    buf_append(&text, c->has_time ? c->time : stamp, 8);
    buf_append(&text, chance->client, 8);
    buf_append(&text, zero, 4);
    put_info(&text, c, account);
    buf_append(&text, zero, 4);
    ok = buf_ok(&text) && hmac(key, text.data, text.len, digest);
    if (ok) {
        buf_append(proof, digest, 16);
        buf_append(proof, text.data + 8, text.len - 8);
    }
    buf_free(&text);
    return ok && buf_ok(proof);
}

int ntlm_answer(struct ntlm *n, const struct ntlm_account *account, const uint8_t *challenge,
                size_t len, const struct ntlm_chance *chance, struct buf *out, struct pv_err *err)
{
    uint8_t key[16], base[16], both[16], lm[24] = { 0 }, sealed[16];
    struct ntlm_chance fresh;
    struct ntlm_stream stream;
    struct challenge c;
    struct buf proof, message;
    bool ok;

    if (!read_challenge(challenge, len, &c))
        return pv_fail(err, PV_EAUTH, "the host's NTLM challenge cannot be read");
    if ((c.flags & NEEDED) != NEEDED)
        return pv_fail(err, PV_EAUTH, "the host offers only weak NTLM (flags 0x%08x)", c.flags);
    if (!chance) {
        take_chance(&fresh);
        chance = &fresh;
    }
    buf_init(&proof, INFO_MOST + TEXT_MOST);
    buf_init(&message, INFO_MOST + 4 * TEXT_MOST);
    ok = make_key(account, key) && make_proof(key, &c, account, chance, &proof) &&
         hmac(key, proof.data, 16, base);
    /* A server that tells the time does not want the old form of the answer. */
    if (ok && !c.has_time) {
        memcpy(both, c.server, 8);
        memcpy(both + 8, chance->client, 8);
        ok = hmac(key, both, sizeof(both), lm);
        memcpy(lm + 16, chance->client, 8);
    }
    if (ok) {
        memcpy(n->exported, chance->session, 16);
        rc4_key(&stream, base);
        rc4(&stream, n->exported, sealed, 16);
        put_message(&message, account, &c, &proof, lm, sealed);
        ok = buf_ok(&message) && (!c.has_time || put_mic(n, challenge, len, &message));
        derive(n);
        ok = ok && n->ready;
        buf_append(out, message.data, message.len);
    }
    OPENSSL_cleanse(key, sizeof(key));
    OPENSSL_cleanse(base, sizeof(base));
    OPENSSL_cleanse(&fresh, sizeof(fresh));
    OPENSSL_cleanse(&stream, sizeof(stream));
    buf_free(&proof);
    buf_free(&message);
    if (!ok || !buf_ok(out))
        return pv_fail(err, PV_EINTERNAL, "the answer to the host's NTLM challenge cannot be made");
    return PV_OK;
}

/* ------------------------------------------------------------------ sealing */

static bool sign(struct ntlm_stream *stream, const uint8_t key[16], uint32_t number,
                 const void *text, size_t len, uint8_t out[NTLM_SIGNATURE])
{
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
    OSSL_PARAM params[2];
    uint8_t digest[16], head[4];
    char name[] = "MD5";
    size_t got = 0;
    bool ok;

    put32(head, number);
    params[0] = OSSL_PARAM_construct_utf8_string("digest", name, 0);
    params[1] = OSSL_PARAM_construct_end();
    ok = ctx && EVP_MAC_init(ctx, key, 16, params) == 1 &&
         EVP_MAC_update(ctx, head, sizeof(head)) == 1 && EVP_MAC_update(ctx, text, len) == 1 &&
         EVP_MAC_final(ctx, digest, &got, sizeof(digest)) == 1 && got == 16;
    EVP_MAC_CTX_free(ctx);
    EVP_MAC_free(mac);
    if (!ok)
        return false;
    put32(out, 1);
    rc4(stream, digest, out + 4, 8);
    put32(out + 12, number);
    return true;
}

void ntlm_seal(struct ntlm *n, const char *text, size_t len, uint8_t signature[NTLM_SIGNATURE],
               struct buf *sealed)
{
    char *at = buf_reserve(sealed, len);

    if (!at)
        return;
    rc4(&n->send, (const uint8_t *)text, (uint8_t *)at, len);
    sealed->len += len;
    if (!sign(&n->send, n->send_key, n->send_number++, text, len, signature))
        sealed->failed = true;
}

bool ntlm_unseal(struct ntlm *n, const uint8_t signature[NTLM_SIGNATURE], const char *sealed,
                 size_t len, struct buf *out)
{
    char *at = buf_reserve(out, len);
    uint8_t expected[NTLM_SIGNATURE];

    if (!at)
        return false;
    rc4(&n->receive, (const uint8_t *)sealed, (uint8_t *)at, len);
    if (!sign(&n->receive, n->receive_key, n->receive_number++, at, len, expected) ||
        CRYPTO_memcmp(expected, signature, sizeof(expected)) != 0)
        return false;
    out->len += len;
    return true;
}

void ntlm_wipe(struct ntlm *n)
{
    OPENSSL_cleanse(n, sizeof(*n));
}
