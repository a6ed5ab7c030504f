/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <strings.h>

#include <libdeflate.h>

#include <polyvisor/str.h>

#include "server/net/inside.h"

#define LEVEL 3 /* of 12: a third of the size at little cost; an answer is sent once */

enum taken { NOT_NAMED, REFUSED, TAKEN };

/* The entry of that name, or "*". */
static enum taken find_entry(const char *at, const char *wanted)
{
    while (at && *at) {
        char q[8] = "1";
        size_t len, name;
        const char *weight;

        at += strspn(at, " \t,");
        len = strcspn(at, ",");
        name = strcspn(at, "; \t,");
        if (name == strlen(wanted) && name > 0 && strncasecmp(at, wanted, name) == 0) {
            weight = memmem(at, len, "q=", 2);
            if (weight)
                str_copy_n(q, sizeof(q), weight + 2, strspn(weight + 2, "0123456789."));
            return strspn(q, "0.") == strlen(q) ? REFUSED : TAKEN;
        }
        at += len;
    }
    return NOT_NAMED;
}

bool encoding_accepted(const struct req *r, const char *coding)
{
    const char *list = req_header(r, "Accept-Encoding");
    enum taken named = find_entry(list, coding);

    return named == TAKEN || (named == NOT_NAMED && find_entry(list, "*") == TAKEN);
}

bool gzip_wanted(const struct request *r)
{
    return encoding_accepted(&r->pub, "gzip");
}

bool gzip_pack(struct request *r)
{
    struct net *n = r->net;
    size_t most = r->out.len - r->out.len / 16, len = 0;
    char *place;

    buf_reset(&r->packed);
    place = buf_reserve(&r->packed, most);
    if (!place)
        return false;
    pthread_mutex_lock(&n->gzip_lock);
    if (!n->gzip)
        n->gzip = libdeflate_alloc_compressor(LEVEL);
    if (n->gzip)
        len = libdeflate_gzip_compress(n->gzip, r->out.data, r->out.len, place, most);
    pthread_mutex_unlock(&n->gzip_lock);
    r->packed.len = len;
    return len > 0;
}
