/* SPDX-License-Identifier: Apache-2.0 */
#include "server/net/gate.h"

#include <string.h>
#include <strings.h>

#include <polyvisor/str.h>

static const char *const methods[GATE_METHODS] = {
    [GATE_GET] = "GET",         [GATE_HEAD] = "HEAD",   [GATE_POST] = "POST",
    [GATE_PUT] = "PUT",         [GATE_PATCH] = "PATCH", [GATE_DELETE] = "DELETE",
    [GATE_OPTIONS] = "OPTIONS",
};

const char *gate_method_name(enum gate_method m)
{
    return m < GATE_METHODS ? methods[m] : NULL;
}

static bool refuse(struct gate_verdict *v, int status, const char *why)
{
    v->status = status;
    v->why = why;
    return false;
}

static bool is_alnum(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* RFC 9110, 5.6.2. */
static bool is_token(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (!is_alnum(c) && (!c || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return len > 0;
}

static bool is_value(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool name_is(const struct gate_header *h, const char *name)
{
    return h->name_len == strlen(name) && strncasecmp(h->name, name, h->name_len) == 0;
}

static bool value_is(const struct gate_header *h, const char *value)
{
    return h->value_len == strlen(value) && strncasecmp(h->value, value, h->value_len) == 0;
}

bool gate_decode(const char *text, size_t len, bool plus_is_space, char *out, size_t *out_len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        int c = (unsigned char)text[i];

        if (c == '%') {
            int high, low;

            if (len - i < 3)
                return false;
            high = hex_value(text[i + 1]);
            low = hex_value(text[i + 2]);
            if (high < 0 || low < 0)
                return false;
            c = high * 16 + low;
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        out[n++] = (char)c;
    }
    out[n] = 0;
    *out_len = n;
    return str_utf8_ok(out, n, false);
}

/* One segment of the path, already known to hold only characters a path may have and whole percent
 * sequences. */
static bool segment_ok(const char *s, size_t len)
{
    size_t dots = 0, chars = 0;

    for (size_t i = 0; i < len; i++) {
        int c = (unsigned char)s[i];

        if (c == '%') {
            c = hex_value(s[i + 1]) * 16 + hex_value(s[i + 2]);
            i += 2;
            if (c < 0x20 || c == 0x7f || c == '/' || c == '\\')
                return false;
        }
        chars++;
        dots += c == '.';
    }
    return !(dots == chars && (dots == 1 || dots == 2));
}

static bool path_char(unsigned char c)
{
    return is_alnum(c) || (c && strchr("-._~!$&'()*+,;=:@/%", c));
}

static bool check_target(const struct gate_head *h, struct gate_verdict *v)
{
    const char *mark, *path = h->target;
    size_t start = 1;

    if (h->target_len > GATE_MAX_TARGET)
        return refuse(v, 414, "the address is too long");
    mark = memchr(h->target, '?', h->target_len);
    v->path_len = mark ? (size_t)(mark - h->target) : h->target_len;
    if (v->path_len == 0 || path[0] != '/')
        return refuse(v, 400, "the address must be a path that begins with /");
    for (size_t i = 0; i < h->target_len; i++) {
        unsigned char c = (unsigned char)path[i];

        if (i < v->path_len ? !path_char(c) : (c <= 0x20 || c >= 0x7f || c == '#'))
            return refuse(v, 400, "a character that may not stand in an address");
        if (c == '%' &&
            (h->target_len - i < 3 || hex_value(path[i + 1]) < 0 || hex_value(path[i + 2]) < 0))
            return refuse(v, 400, "an incomplete percent sequence");
        if (c == '%' && i < v->path_len && v->path_len - i < 3)
            return refuse(v, 400, "an incomplete percent sequence");
    }
    for (size_t i = 1; i <= v->path_len; i++) {
        if (i < v->path_len && path[i] != '/')
            continue;
        /* An empty segment is fine only at the very end: "/" and "/a/". */
        if (i == start && i < v->path_len)
            return refuse(v, 400, "an empty path segment");
        if (!segment_ok(path + start, i - start))
            return refuse(v, 400, "the path is not in its normal form");
        start = i + 1;
    }
    return true;
}

static bool host_ok(const struct gate_header *h)
{
    for (size_t i = 0; i < h->value_len; i++) {
        unsigned char c = (unsigned char)h->value[i];

        if (!is_alnum(c) && (!c || !strchr("-._~:[]%", c)))
            return false;
    }
    return h->value_len > 0;
}

static bool check_length(const struct gate_header *h, struct gate_verdict *v)
{
    if (h->value_len > 18 || !str_u64(h->value, h->value_len, UINT64_MAX, &v->length))
        return refuse(v, 400, "Content-Length is not a number");
    v->has_length = true;
    return true;
}

/* Headers that may come once only. */
enum { ONE_HOST, ONE_LENGTH, ONE_ENCODING, ONE_TYPE, ONE_AUTHORIZATION, ONE_EXPECT, ONES };
static const char *const once[ONES] = { "Host",         "Content-Length", "Transfer-Encoding",
                                        "Content-Type", "Authorization",  "Expect" };

static bool check_headers(const struct gate_head *head, struct gate_verdict *v)
{
    const struct gate_header *seen[ONES] = { NULL };
    bool http11 = strcmp(head->version, "HTTP/1.1") == 0;

    if (head->nheaders > GATE_MAX_HEADERS)
        return refuse(v, 400, "too many headers");
    for (size_t i = 0; i < head->nheaders; i++) {
        const struct gate_header *h = &head->headers[i];

        if (!is_token(h->name, h->name_len))
            return refuse(v, 400, "a header's name is malformed");
        if (!is_value(h->value, h->value_len))
            return refuse(v, 400, "a header's value holds control bytes");
        for (size_t k = 0; k < ONES; k++) {
            if (!name_is(h, once[k]))
                continue;
            if (seen[k])
                return refuse(v, 400, "a header that may come once only is there twice");
            seen[k] = h;
        }
    }
    if (!http11 && seen[ONE_ENCODING])
        return refuse(v, 400, "Transfer-Encoding needs HTTP/1.1");
    if (seen[ONE_LENGTH] && seen[ONE_ENCODING])
        return refuse(v, 400, "Content-Length together with Transfer-Encoding");
    if (seen[ONE_ENCODING] && !value_is(seen[ONE_ENCODING], "chunked"))
        return refuse(v, 400, "Transfer-Encoding other than chunked");
    if (seen[ONE_EXPECT] && !value_is(seen[ONE_EXPECT], "100-continue"))
        return refuse(v, 400, "Expect other than 100-continue");
    if (seen[ONE_HOST] ? !host_ok(seen[ONE_HOST]) : http11)
        return refuse(v, 400, "the Host header is missing or malformed");
    v->chunked = seen[ONE_ENCODING] != NULL;
    v->expects_continue = seen[ONE_EXPECT] != NULL;
    return !seen[ONE_LENGTH] || check_length(seen[ONE_LENGTH], v);
}

bool gate_check(const struct gate_head *head, struct gate_verdict *out)
{
    *out = (struct gate_verdict){ .method = GATE_METHODS };
    for (enum gate_method m = 0; m < GATE_METHODS; m++) {
        if (strcmp(head->method, methods[m]) == 0)
            out->method = m;
    }
    if (out->method == GATE_METHODS)
        return refuse(out, 400, "the method is unknown");
    if (strcmp(head->version, "HTTP/1.1") != 0 && strcmp(head->version, "HTTP/1.0") != 0)
        return refuse(out, 400, "the HTTP version is unknown");
    return check_target(head, out) && check_headers(head, out);
}

static bool is_line_end(const char *at)
{
    /* The parser writes NUL over CR and LF; after a bare LF the next byte is something else. */
    return at[0] == 0 && at[1] == 0;
}

bool gate_contiguous(const struct gate_head *head, size_t head_size)
{
    const char *at = head->method + strlen(head->method) + 1;
    const char *end = head->method + head_size;

    if (head->target != at)
        return false;
    at += head->target_len + 1;
    if (head->version != at)
        return false;
    at += strlen(head->version);
    for (size_t i = 0; i < head->nheaders; i++) {
        const struct gate_header *h = &head->headers[i];

        if (end - at < 2 || !is_line_end(at) || h->name != at + 2)
            return false;
        at = h->name + h->name_len + 1; /* past the colon */
        while (at < h->value && (*at == ' ' || *at == '\t'))
            at++;
        if (at != h->value)
            return false;
        at += h->value_len;
    }
    return end - at == 4 && is_line_end(at) && is_line_end(at + 2);
}
