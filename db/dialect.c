/* SPDX-License-Identifier: Apache-2.0 */
#include "db/dialect.h"

#include <string.h>

#include <polyvisor/buf.h>
#include <polyvisor/cleanup.h>

static const struct {
    const char *token, *text;
} tokens[] = {
    { "{blob}", "BLOB" },
    { "{now_ms}", "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)" },
    { "{skip_locked}", "" },
    { "{collate}", "COLLATE BINARY" },
    { "{clustered}", "WITHOUT ROWID" },
};

char *dialect_sqlite(const char *text)
{
    struct buf out;

    buf_init(&out, 1u << 20);
    while (*text) {
        size_t plain = strcspn(text, "{");
        size_t i = 0;

        buf_append(&out, text, plain);
        text += plain;
        if (!*text)
            break;
        while (i < PV_COUNT(tokens) && strncmp(text, tokens[i].token, strlen(tokens[i].token)) != 0)
            i++;
        if (i == PV_COUNT(tokens)) {
            buf_free(&out);
            return NULL;
        }
        buf_text(&out, tokens[i].text);
        text += strlen(tokens[i].token);
    }
    return buf_take(&out);
}
