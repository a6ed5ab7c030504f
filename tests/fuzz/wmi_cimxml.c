/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as CIM-XML: what is read writes and reads again the same; and as an object path. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/buf.h>
#include <polyvisor/err.h>

#include "drivers/wmi/cim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_again(struct arena *a, const struct cim_instance *o)
{
    struct cim_instance *back = NULL;
    struct buf once, twice;

    buf_init(&once, 16u << 20);
    buf_init(&twice, 16u << 20);
    if (o->cls && cim_put_xml(&once, o, NULL) == PV_OK) {
        if (cim_parse_xml(a, once.data, (enum cim_ns)o->cls->ns, &back, NULL) != PV_OK ||
            cim_put_xml(&twice, back, NULL) != PV_OK || strcmp(once.data, twice.data) != 0)
            abort();
    }
    buf_free(&once);
    buf_free(&twice);
}

/* A text that looks like a path is read as one, to a depth: so only flat references must come back
 * the same. */
static bool is_flat(const struct cim_ref *r)
{
    for (unsigned i = 0; i < r->nkeys; i++)
        if (r->keys[i].ref || strpbrk(r->keys[i].value, "\\/"))
            return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(65536, 64u << 20);
    struct cim_instance *o = NULL;
    const struct cim_ref *ref;
    const char *path;
    char *text = a ? arena_text(a, (const char *)data, size) : NULL;

    if (text) {
        if (cim_parse_xml(a, text, CIM_NS_VIRTUALIZATION, &o, NULL) == PV_OK)
            write_again(a, o);
        ref = cim_ref_parse(a, text, CIM_NS_VIRTUALIZATION);
        path = ref ? cim_ref_path(a, ref, ref->host) : NULL;
        if (path && is_flat(ref) &&
            !cim_ref_same(cim_ref_parse(a, path, CIM_NS_VIRTUALIZATION), ref))
            abort();
    }
    arena_free(a);
    return 0;
}
