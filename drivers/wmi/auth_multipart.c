/* SPDX-License-Identifier: Apache-2.0 */
/* The body of an encrypted message ([MS-WSMV] 2.2.9.1): two parts, the second is binary. */
#include "drivers/wmi/auth.h"

#include <string.h>
#include <strings.h>

#include <polyvisor/str.h>

#define BOUNDARY "--Encrypted Boundary"
#define HEAD_MOST 4096u

void multipart_write(struct buf *out, const char *protocol, size_t clear_len,
                     const struct buf *head, const struct buf *sealed)
{
    const unsigned char len[4] = { (unsigned char)head->len, (unsigned char)(head->len >> 8),
                                   (unsigned char)(head->len >> 16),
                                   (unsigned char)(head->len >> 24) };

    buf_printf(out,
               BOUNDARY
               "\r\n"
               "\tContent-Type: %s\r\n"
               "\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=%zu\r\n" BOUNDARY
               "\r\n"
               "\tContent-Type: application/octet-stream\r\n",
               protocol, clear_len);
    buf_append(out, len, sizeof(len));
    buf_append(out, head->data, head->len);
    buf_append(out, sealed->data, sealed->len);
    buf_text(out, BOUNDARY "--\r\n");
}

/* One line without its end; NULL: there is none any more, or it is far too long. */
static const char *next_line(const char **at, const char *end, size_t *len)
{
    const char *start = *at, *eol = start < end ? memchr(start, '\n', (size_t)(end - start)) : NULL;

    if (!eol || eol - start > 1024)
        return NULL;
    *len = (size_t)(eol - start);
    if (*len && start[*len - 1] == '\r')
        (*len)--;
    *at = eol + 1;
    return start;
}

/* "--Encrypted Boundary", which some servers write with a space after the dashes. */
static bool is_boundary(const char *line, size_t len)
{
    if (len < 2 || memcmp(line, "--", 2) != 0)
        return false;
    line += 2;
    len -= 2;
    if (len && *line == ' ') {
        line++;
        len--;
    }
    return len == 18 && strncasecmp(line, "Encrypted Boundary", 18) == 0;
}

static bool read_length(const char *line, size_t len, size_t *out)
{
    char copy[256], *at;
    uint64_t value;

    if (!str_copy_n(copy, sizeof(copy), line, len))
        return false;
    at = strcasestr(copy, "Length=");
    if (!at)
        return false;
    at += 7;
    if (!str_u64(at, strspn(at, "0123456789"), 1u << 30, &value))
        return false;
    *out = (size_t)value;
    return true;
}

static bool read_part(const char **at, const char *end, const char *wanted, bool *has_length,
                      size_t *length)
{
    size_t len;
    const char *line = next_line(at, end, &len);

    if (!line || !is_boundary(line, len))
        return false;
    for (unsigned i = 0; i < 8; i++) {
        const char *start = *at;
        char copy[256];

        line = next_line(at, end, &len);
        if (!line)
            return false;
        /* The binary part begins right behind its type. */
        if (is_boundary(line, len)) {
            *at = start;
            return true;
        }
        if (!str_copy_n(copy, sizeof(copy), line, len))
            return false;
        if (strcasestr(copy, "OriginalContent:"))
            *has_length = read_length(line, len, length);
        if (strcasestr(copy, wanted) && strcmp(wanted, "application/octet-stream") == 0)
            return true;
    }
    return false;
}

bool multipart_read(const char *body, size_t len, struct multipart *out)
{
    const char *at = body, *end = body + len;
    const unsigned char *n;
    bool has_length = false;
    size_t head, rest;

    memset(out, 0, sizeof(*out));
    if (!read_part(&at, end, "session-encrypted", &has_length, &out->clear_len) || !has_length ||
        !read_part(&at, end, "application/octet-stream", &has_length, &out->clear_len))
        return false;
    rest = (size_t)(end - at);
    if (rest < 4)
        return false;
    n = (const unsigned char *)at;
    head = (size_t)n[0] | (size_t)n[1] << 8 | (size_t)n[2] << 16 | (size_t)n[3] << 24;
    at += 4;
    rest -= 4;
    if (head > HEAD_MOST || head > rest)
        return false;
    out->head = at;
    out->head_len = head;
    at += head;
    rest -= head;
    /* The closing boundary, with or without a space, line end or both. */
    while (rest && (at[rest - 1] == '\n' || at[rest - 1] == '\r'))
        rest--;
    if (rest >= 22 && memcmp(at + rest - 22, "--Encrypted Boundary--", 22) == 0)
        rest -= 22;
    else if (rest >= 23 && memcmp(at + rest - 23, "-- Encrypted Boundary--", 23) == 0)
        rest -= 23;
    else
        return false;
    out->sealed = at;
    out->sealed_len = rest;
    return true;
}
