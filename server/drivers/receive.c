/* SPDX-License-Identifier: Apache-2.0 */
#include "server/drivers/receive.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/log.h>
#include <polyvisor/str.h>

#define NAME_MAX_BYTES 64u
#define LINE_MAX_BYTES 8192u

static int damaged(struct pv_err *err, const struct frame *f)
{
    return pv_fail(err, PV_EFORMAT, "a frame of type %u is damaged", f->type);
}

static bool same(const char *a, const char *b)
{
    return a && strcmp(a, b) == 0;
}

/* A fresh host must be what the first one said it was; after an update of the file it may be newer. */
static int on_hello(struct driver *dr, struct frame *f, struct pv_err *err)
{
    struct frame_reader r;
    const char *name, *version, *schema, *operations;
    char *copies[3];
    uint64_t abi_minor;

    frame_read(&r, f);
    if (frame_get_u64(&r, UINT16_MAX) != PV_ABI_MAJOR)
        return pv_fail(err, PV_EFORMAT, "another version of the driver interface");
    abi_minor = frame_get_u64(&r, UINT16_MAX);
    name = frame_get_text(&r, NAME_MAX_BYTES);
    version = frame_get_text(&r, 4 * NAME_MAX_BYTES);
    schema = frame_get_text(&r, 4u << 20);
    operations = frame_get_text(&r, 4u << 20);
    if (!frame_done(&r) || strcmp(name, dr->name) != 0)
        return damaged(err, f);
    dr->introduced = true;
    dr->abi_minor = (unsigned)abi_minor;
    dr->state = DRIVER_LOADED;
    memset(&dr->error, 0, sizeof(dr->error));
    if (same(dr->version, version) && same(dr->schema, schema) &&
        same(dr->operations, operations))
        return PV_OK;
    copies[0] = strdup(version);
    copies[1] = strdup(schema);
    copies[2] = strdup(operations);
    if (!copies[0] || !copies[1] || !copies[2]) {
        for (int i = 0; i < 3; i++)
            free(copies[i]);
        return pv_fail(err, PV_ENOMEM, "no memory");
    }
    free(dr->version);
    free(dr->schema);
    free(dr->operations);
    dr->version = copies[0];
    dr->schema = copies[1];
    dr->operations = copies[2];
    return PV_OK;
}

static int on_broken(const struct driver *dr, struct frame *f, struct pv_err *err)
{
    struct frame_reader r;
    const char *message, *remedy;

    frame_read(&r, f);
    message = frame_get_text(&r, LINE_MAX_BYTES);
    remedy = frame_get_text(&r, LINE_MAX_BYTES);
    if (!frame_done(&r))
        return damaged(err, f);
    (void)dr;
    pv_fail_as(err, "driver-broken", "%s", message);
    pv_err_remedy(err, "%s", remedy);
    return PV_EINVAL;
}

/* A driver that talks without end must not fill the disk. */
static bool may_log(struct driver *dr)
{
    int64_t second = clock_mono_ms() / 1000;

    if (second != dr->log_second) {
        if (dr->log_lost > 0)
            log_msg(PV_LOG_WARN, "driver.log_lost", "driver=%s lines=%u", dr->name, dr->log_lost);
        dr->log_second = second;
        dr->log_lines = dr->log_lost = 0;
    }
    if (dr->log_lines < LINK_LOG_LINES) {
        dr->log_lines++;
        return true;
    }
    dr->log_lost++;
    return false;
}

static int on_log(struct driver *dr, struct frame *f, struct pv_err *err)
{
    static const enum log_level levels[] = { PV_LOG_ERROR, PV_LOG_WARN, PV_LOG_INFO,
                                             PV_LOG_DEBUG };
    struct frame_reader r;
    uint64_t level;
    const char *text;

    frame_read(&r, f);
    level = frame_get_u64(&r, 3);
    text = frame_get_text(&r, LINE_MAX_BYTES);
    if (!frame_done(&r))
        return damaged(err, f);
    if (may_log(dr))
        log_msg(levels[level], "driver.log", "driver=%s message=\"%s\"", dr->name,
                text);
    return PV_OK;
}

static int on_closed(struct driver *dr, const struct frame *f)
{
    struct closing **at = &dr->closing;

    while (*at && (*at)->number != f->session)
        at = &(*at)->next;
    if (*at) {
        struct closing *c = *at;

        *at = c->next;
        free(c);
    }
    return PV_OK;
}

static struct driver_session *find(struct driver *dr, uint64_t number)
{
    struct driver_session *s = dr->sessions;

    while (s && s->number != number)
        s = s->next;
    return s;
}

static int on_progress(struct driver_session *s, struct frame *f, struct pv_err *err)
{
    struct open_call *c = session_call(s, f->call);
    struct pv_progress progress;
    struct frame_reader r;

    frame_read(&r, f);
    frame_get_progress(&r, &progress);
    if (!frame_done(&r))
        return damaged(err, f);
    if (!c || c->ended)
        return pv_fail(err, PV_EFORMAT, "progress of a call that does not run");
    if (!s->probe)
        session_progress(s, c, &progress);
    return PV_OK;
}

/* What becomes an item of the session's queue. */
static int read_item(struct driver_session *s, struct item *item, struct pv_err *err)
{
    struct frame *f = &item->frame;
    struct frame_reader r;
    struct open_call *c = NULL;

    frame_read(&r, f);
    switch (f->type) {
    case FRAME_OPENED:
        item->type = ITEM_OPENED;
        frame_get_failure(&r, &item->failure);
        if (s->opened)
            return pv_fail(err, PV_EFORMAT, "a session was opened twice");
        break;
    case FRAME_BATCH:
        item->type = ITEM_BATCH;
        frame_get_batch(&r, &item->batch);
        break;
    case FRAME_MARK:
        item->type = ITEM_MARK;
        item->mark = (enum pv_mark)frame_get_u64(&r, PV_MARK_CHANGES);
        item->text = frame_get_text_or_null(&r, LINK_CURSOR_MAX);
        break;
    case FRAME_PROVIDER:
        item->type = ITEM_PROVIDER;
        item->text = frame_get_text(&r, LINK_PROVIDER_MAX);
        break;
    default:
        item->type = ITEM_RESULT;
        frame_get_failure(&r, &item->failure);
        item->text = frame_get_text_or_null(&r, FRAME_TEXT_MAX);
        item->call = f->call;
        c = session_call(s, f->call);
        if (!c || c->ended)
            return pv_fail(err, PV_EFORMAT, "the result of a call that does not run");
        break;
    }
    if (!frame_done(&r))
        return damaged(err, f);
    if (item->type == ITEM_BATCH || item->type == ITEM_MARK || item->type == ITEM_PROVIDER) {
        if (s->windowed >= FRAME_WINDOW || s->probe)
            return pv_fail(err, PV_EFORMAT, "more data than was asked for");
        s->windowed++;
    }
    if (c)
        c->ended = true;
    s->opened = s->opened || item->type == ITEM_OPENED;
    return PV_OK;
}

static int on_session_frame(struct driver *dr, struct frame *f, struct pv_err *err)
{
    struct driver_session *s = find(dr, f->session);
    struct item *item;
    int rc;

    /* It was closed here while this was on its way. */
    if (!s)
        return PV_OK;
    if (f->type == FRAME_PROGRESS)
        return on_progress(s, f, err);
    item = calloc(1, sizeof(*item));
    if (!item)
        return pv_fail(err, PV_ENOMEM, "no memory");
    item->frame = *f;
    *f = (struct frame){ 0 };
    rc = read_item(s, item, err);
    if (rc == PV_OK)
        session_push(s, item);
    else
        item_free(item);
    return rc;
}

int receive_frame(struct driver *dr, struct frame *f, struct pv_err *err)
{
    if (!dr->introduced && f->type != FRAME_HELLO && f->type != FRAME_BROKEN)
        return pv_fail(err, PV_EFORMAT, "no introduction");
    switch (f->type) {
    case FRAME_HELLO:
        if (dr->introduced)
            return pv_fail(err, PV_EFORMAT, "two introductions");
        return on_hello(dr, f, err);
    case FRAME_BROKEN:
        return on_broken(dr, f, err);
    case FRAME_LOG:
        return on_log(dr, f, err);
    case FRAME_CLOSED:
        return on_closed(dr, f);
    case FRAME_OPENED:
    case FRAME_BATCH:
    case FRAME_MARK:
    case FRAME_PROVIDER:
    case FRAME_PROGRESS:
    case FRAME_RESULT:
        return on_session_frame(dr, f, err);
    default:
        return pv_fail(err, PV_EFORMAT, "a frame of type %u came the wrong way", f->type);
    }
}
