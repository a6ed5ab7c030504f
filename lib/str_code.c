/* SPDX-License-Identifier: Apache-2.0 */
/* Hex and base64 of str.h. */
#include <polyvisor/str.h>

#include <string.h>

#include <polyvisor/buf.h>

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void str_hex(const uint8_t *data, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        *out++ = digits[data[i] >> 4];
        *out++ = digits[data[i] & 15];
    }
    *out = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool str_unhex(const char *text, size_t len, uint8_t *out)
{
    if (len % 2 != 0)
        return false;
    for (size_t i = 0; i < len; i++)
        if (hex_digit(text[i]) < 0)
            return false;
    for (size_t i = 0; i < len; i += 2)
        *out++ = (uint8_t)(hex_digit(text[i]) << 4 | hex_digit(text[i + 1]));
    return true;
}

static void encode(struct buf *out, const uint8_t *data, size_t len, const char *alphabet,
                   bool padded)
{
    for (size_t i = 0; i < len; i += 3) {
        size_t n = len - i < 3 ? len - i : 3;
        uint32_t v = (uint32_t)data[i] << 16;
        char four[4];

        if (n > 1)
            v |= (uint32_t)data[i + 1] << 8;
        if (n > 2)
            v |= data[i + 2];
        four[0] = alphabet[v >> 18];
        four[1] = alphabet[v >> 12 & 63];
        four[2] = n > 1 ? alphabet[v >> 6 & 63] : '=';
        four[3] = n > 2 ? alphabet[v & 63] : '=';
        buf_append(out, four, padded ? 4 : n + 1);
    }
    buf_append(out, NULL, 0); /* so that even nothing is a text */
}

void str_base64(struct buf *out, const uint8_t *data, size_t len)
{
    encode(out, data, len, standard, true);
}

void str_base64url(struct buf *out, const uint8_t *data, size_t len)
{
    encode(out, data, len, url_safe, false);
}

static int base64_digit(char c, const char *alphabet)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == alphabet[62])
        return 62;
    return c == alphabet[63] ? 63 : -1;
}

/* Strict: one text per value, so bits that belong to no byte must be 0. */
static bool decode(const char *text, size_t len, const char *alphabet, uint8_t *out, size_t cap,
                   size_t *out_len)
{
    size_t tail = len % 4, n = len / 4 * 3 + (tail ? tail - 1 : 0), at = 0;
    uint32_t v = 0;

    if (tail == 1 || n > cap)
        return false;
    for (size_t i = 0; i < len; i++)
        if (base64_digit(text[i], alphabet) < 0)
            return false;
    if ((tail == 2 && base64_digit(text[len - 1], alphabet) & 15) ||
        (tail == 3 && base64_digit(text[len - 1], alphabet) & 3))
        return false;
    for (size_t i = 0; i < len; i++) {
        v = v << 6 | (uint32_t)base64_digit(text[i], alphabet);
        if (i % 4 != 0)
            out[at++] = (uint8_t)(v >> (6 - 2 * (i % 4)));
    }
    *out_len = n;
    return true;
}

bool str_unbase64url(const char *text, size_t len, uint8_t *out, size_t cap, size_t *out_len)
{
    return decode(text, len, url_safe, out, cap, out_len);
}

bool str_unbase64(const char *text, size_t len, uint8_t *out, size_t cap, size_t *out_len)
{
    if (len % 4 != 0)
        return false;
    for (int i = 0; i < 2 && len > 0 && text[len - 1] == '='; i++)
        len--;
    return decode(text, len, standard, out, cap, out_len);
}
