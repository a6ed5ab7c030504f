/* SPDX-License-Identifier: Apache-2.0 */
/* Files of the host: is it there, away with it. */
#include <string.h>

#include <polyvisor/buf.h>
#include <polyvisor/clock.h>
#include <polyvisor/str.h>

#include "drivers/wmi/op.h"

static const struct cim_ref *file_ref(struct op *o, const char *path)
{
    struct cim_ref *r = cim_ref_new(o->a, CIM(CIM_DataFile));

    cim_ref_add(r, P(CIM_DataFile, Name), path);
    return r;
}

int op_file_exists(struct op *o, const char *path, bool *there, struct pv_err *err)
{
    struct cim_instance *found = NULL;
    int rc = wsman_get(o->w->client, &o->c, file_ref(o, path), o->a, &found, err);

    if (rc && rc != PV_ENOENT)
        return rc;
    *there = rc == PV_OK;
    return PV_OK;
}

/* The method's own codes. */
int op_file_refused(struct op *o, const char *what, uint32_t value, struct pv_err *err)
{
    static const struct {
        uint32_t value;
        int rc;
        const char *native, *words;
    } meanings[] = {
        { 2, PV_EPERM, "2 AccessDenied", "access is denied" },
        { 8, PV_EIO, "8 UnknownFailure", "the host reports a failure" },
        { 9, PV_EINVAL, "9 InvalidObject", "no such file name" },
        { 15, PV_EBUSY, "15 SharingViolation", "the file is in use" },
        { 21, PV_EINVAL, "21 InvalidParameter", "a value is not acceptable" },
    };
    int rc;

    (void)o;
    for (size_t i = 0; i < PV_COUNT(meanings); i++) {
        if (meanings[i].value != value)
            continue;
        rc = pv_fail(err, meanings[i].rc, "%s: %s", what, meanings[i].words);
        pv_err_native(err, meanings[i].native);
        return rc;
    }
    return pv_fail(err, PV_EIO, "%s: the host refused (%u)", what, value);
}

static bool is_gone(struct op *o, const char *path)
{
    bool there = true;

    return op_file_exists(o, path, &there, NULL) == PV_OK && !there;
}

/* No job is behind it, so only the file itself can tell: it is looked at until it is gone, or for
 * `outcome_wait_s`. */
int op_file_look(struct op *o, const char *path, const char *why, struct pv_err *err)
{
    struct backoff pause = { .first_ms = 100, .most_ms = 1000 };
    int64_t until = clock_mono_ms() + (int64_t)o->w->config.outcome_wait_s * 1000;
    bool finishing = o->c.must_finish, there = true;
    int rc;

    o->c.must_finish = true;
    for (;;) {
        rc = op_file_exists(o, path, &there, NULL);
        if ((rc == PV_OK && !there) || clock_mono_ms() >= until || call_is_closing(&o->c))
            break;
        clock_sleep_ms(backoff_next_ms(&pause));
    }
    o->c.must_finish = finishing;
    if (rc == PV_OK && !there)
        return PV_OK;
    if (rc || call_is_closing(&o->c))
        return pv_fail(err, PV_EUNKNOWN,
                       "deleting %s: %s, and the host cannot be asked what became of it", path,
                       why);
    return pv_fail(err, PV_EIO, "deleting %s: %s, and the file is still there", path, why);
}

int op_file_delete(struct op *o, const char *path, struct pv_err *err)
{
    struct cim_instance *in = cim_call(o->a, M(CIM_DataFile, Delete)), *answer = NULL;
    const struct cim_ref *ref = file_ref(o, path);
    struct call whole = o->c;
    uint32_t value = 0;
    bool there = true;
    int rc;

    if (!ref || !in)
        return pv_fail(err, PV_ENOMEM, "no memory");
    if (o->dry_run) {
        op_plan_call(o, ref, in);
        return PV_OK;
    }
    if (op_is_remote(path))
        return pv_fail(err, PV_ENOTSUP,
                       "deleting %s: files on a share are out of the host's reach for WMI", path);
    rc = op_file_exists(o, path, &there, err);
    if (rc || !there)
        return rc;
    whole.must_finish = true;
    rc = wsman_invoke(o->w->client, &whole, ref, in, o->a, &answer, err);
    if (rc == PV_EUNKNOWN || rc == PV_ETIMEOUT)
        return op_file_look(o, path, "the connection broke before the host answered", err);
    if (rc == PV_ENOENT)
        return PV_OK;
    if (rc)
        return rc;
    if (!cim_return_value(answer, &value) || value == 0) {
        if (is_gone(o, path))
            return PV_OK;
        return pv_fail(err, PV_EIO, "deleting %s: the host says it is done, but the file is there",
                       path);
    }
    return op_file_refused(o, op_what(o, "deleting", path), value, err);
}
