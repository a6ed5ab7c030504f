/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <libdeflate.h>

#include "server/net/inside.h"

#define LEVEL 3 /* of 12: a third of the size at little cost; an answer is sent once */

/* RFC 9110, 12.5.3: listed, and not with q=0. */
bool gzip_wanted(const struct request *r)
{
    const char *at = req_header(&r->pub, "Accept-Encoding");

    while (at && *at) {
        size_t len, name;
        const char *q;

        at += strspn(at, " \t,");
        len = strcspn(at, ",");
        name = strcspn(at, "; \t,");
        if ((name == 4 && strncasecmp(at, "gzip", 4) == 0) || (name == 1 && *at == '*')) {
            q = memmem(at, len, "q=", 2);
            return !q || strtod(q + 2, NULL) > 0;
        }
        at += len;
    }
    return false;
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
