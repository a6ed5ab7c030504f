/* SPDX-License-Identifier: Apache-2.0 */
/* Networks that a token may be used from: an address, or address/bits. */
#include <arpa/inet.h>
#include <string.h>

#include <polyvisor/str.h>

#include "server/auth/inside.h"

struct network {
    uint8_t bytes[16];
    unsigned bits;
    bool v6;
};

/* IPv4 written as IPv6 ("::ffff:192.0.2.1") is IPv4. */
static bool read_address(const char *text, size_t len, struct network *out)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    char copy[64];

    memset(out, 0, sizeof(*out));
    if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    if (!str_copy_n(copy, sizeof(copy), text, len))
        return false;
    if (inet_pton(AF_INET, copy, out->bytes) == 1) {
        out->bits = 32;
        return true;
    }
    if (inet_pton(AF_INET6, copy, out->bytes) != 1)
        return false;
    out->v6 = memcmp(out->bytes, mapped, sizeof(mapped)) != 0;
    out->bits = out->v6 ? 128 : 32;
    if (!out->v6)
        memmove(out->bytes, out->bytes + 12, 4);
    return true;
}

static bool read_network(const char *text, size_t len, struct network *out)
{
    const char *slash = memchr(text, '/', len);
    size_t address = slash ? (size_t)(slash - text) : len;
    uint64_t bits;

    if (!read_address(text, address, out))
        return false;
    if (!slash)
        return true;
    if (!str_u64(slash + 1, len - address - 1, out->bits, &bits))
        return false;
    out->bits = (unsigned)bits;
    return true;
}

bool network_valid(const char *text)
{
    struct network n;

    return read_network(text, strlen(text), &n);
}

static bool inside(const struct network *n, const struct network *address)
{
    unsigned whole = n->bits / 8, rest = n->bits % 8;

    return n->v6 == address->v6 && memcmp(n->bytes, address->bytes, whole) == 0 &&
           (rest == 0 || (n->bytes[whole] ^ address->bytes[whole]) >> (8 - rest) == 0);
}

bool network_allowed(const char *list, const char *address)
{
    struct network from, n;
    bool any = false;

    if (!read_address(address, strlen(address), &from))
        return !*list;
    for (const char *p = list; *p;) {
        size_t len = strcspn(p, "\n");

        if (len > 0) {
            any = true;
            if (read_network(p, len, &n) && inside(&n, &from))
                return true;
        }
        p += len + (p[len] == '\n');
    }
    return !any;
}
