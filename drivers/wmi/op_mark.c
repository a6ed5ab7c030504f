/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tells the things that an operation makes from equal ones that others make at the same time:
 * a GUID of ours in the request, kept in the journal. Names are not unique, and that something was
 * not there before does not make it ours.
 */
#include <stdio.h>
#include <string.h>

#include <polyvisor/id.h>
#include <polyvisor/str.h>

#include "drivers/wmi/op.h"

#define NOTE "mark"
#define HEX 32

/* The operation's own number; the same after a restart. */
static const char *mark_of(struct op *o)
{
    const char *kept = journal_get(&o->journal, NOTE);
    uint8_t id[16];
    char hex[HEX + 1];

    if (kept && strlen(kept) == HEX)
        return arena_strdup(o->a, kept);
    id_random(id, sizeof(id));
    str_hex(id, sizeof(id), hex);
    journal_note(&o->journal, NOTE, hex);
    return arena_strdup(o->a, hex);
}

/* They differ in their first digits, by which the journal tells devices apart. */
const char *op_mark_guid(struct op *o, unsigned n)
{
    const char *hex = mark_of(o);

    return hex ? op_text(o, "{%02X%.6s-%.4s-%.4s-%.4s-%.10s%.2s}", n & 255, hex + 2, hex + 8,
                         hex + 12, hex + 16, hex + 20, hex)
               : NULL;
}

const char *op_mark_notes(struct op *o)
{
    const char *guid = op_mark_guid(o, 0);

    return guid ? op_text(o, "Being made by Polyvisor %s", guid) : NULL;
}

bool op_marked(struct op *o, const char *notes)
{
    return op_same(notes, op_mark_notes(o));
}
