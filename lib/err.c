/* SPDX-License-Identifier: Apache-2.0 */
#include <polyvisor/err.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <polyvisor/str.h>

#define PV_NONE 0 /* errors.def: a problem of the API layer alone */

static const struct pv_problem problems[] = {
#define RC(name, number, code, status, title, remedy) { code, PV_##name, status, title, remedy },
#define PROBLEM(rc, code, status, title, remedy) { code, PV_##rc, status, title, remedy },
#include "model/errors.def"
#undef RC
#undef PROBLEM
    { NULL, 0, 0, NULL, NULL },
};

static const struct {
    int rc;
    const char *name, *code;
} codes[] = {
    { PV_OK, "PV_OK", NULL },
#define RC(name, number, code, status, title, remedy) { PV_##name, "PV_" #name, code },
#define PROBLEM(rc, code, status, title, remedy)
#include "model/errors.def"
#undef RC
#undef PROBLEM
};

#define CODES (sizeof(codes) / sizeof(codes[0]))

/* By way of a buffer of our own: the arguments may point into the field that is written. */
__attribute__((format(printf, 3, 0))) static void set_text(char *dst, size_t cap, const char *fmt,
                                                           va_list ap)
{
    char text[1024];

    if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
        text[0] = '\0';
    str_copy(dst, cap, text);
}

__attribute__((format(printf, 3, 0))) static int fail(struct pv_err *err, int rc, const char *fmt,
                                                      va_list ap)
{
    char text[sizeof(err->message)];

    if (!err)
        return rc;
    set_text(text, sizeof(text), fmt, ap);
    memset(err, 0, sizeof(*err));
    err->rc = rc;
    memcpy(err->message, text, sizeof(text));
    return rc;
}

int pv_fail(struct pv_err *err, int rc, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    fail(err, rc, fmt, ap);
    va_end(ap);
    return rc;
}

int pv_fail_as(struct pv_err *err, const char *problem, const char *fmt, ...)
{
    const struct pv_problem *p = pv_problem_find(problem);
    /* Problems without an rc are all of the kind "the request is wrong". */
    int rc = !p ? PV_EINTERNAL : p->rc ? p->rc : PV_EINVAL;
    va_list ap;

    va_start(ap, fmt);
    fail(err, rc, fmt, ap);
    va_end(ap);
    if (err)
        err->problem = p ? p->code : NULL;
    return rc;
}

static int rc_of_errno(int errnum)
{
    switch (errnum) {
    case ENOENT:
    case ENOTDIR:
    case ENXIO:
    case ENODEV:
        return PV_ENOENT;
    case EEXIST:
    case ENOTEMPTY:
        return PV_EEXIST;
    case EACCES:
    case EPERM:
    case EROFS:
        return PV_EPERM;
    case ENOSPC:
    case EFBIG:
        return PV_ENOSPC;
    case EDQUOT:
        return PV_EQUOTA;
    case EINVAL:
    case EISDIR:
    case ENAMETOOLONG:
    case ELOOP:
    case EILSEQ:
        return PV_EINVAL;
    case EBUSY:
    case ETXTBSY:
    case EADDRINUSE:
    case EDEADLK:
        return PV_EBUSY;
    case ENOMEM:
        return PV_ENOMEM;
    case EMFILE:
    case ENFILE:
    case EAGAIN:
        return PV_ELIMIT;
    case ENOSYS:
    case EOPNOTSUPP:
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
        return PV_ENOTSUP;
    case ETIMEDOUT:
        return PV_ETIMEOUT;
    case ECONNREFUSED:
    case ECONNRESET:
    case ECONNABORTED:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETUNREACH:
    case ENETDOWN:
    case ENOTCONN:
    case EPIPE:
        return PV_EOFFLINE;
    case ECANCELED:
        return PV_ECANCELED;
    default:
        return PV_EIO;
    }
}

int pv_fail_os(struct pv_err *err, int errnum, const char *fmt, ...)
{
    const char *why = strerrordesc_np(errnum);
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    set_text(text, sizeof(text), fmt, ap);
    va_end(ap);
    return pv_fail(err, rc_of_errno(errnum), "%s: %s", text, why ? why : "unknown error");
}

int pv_wrap(struct pv_err *err, const char *fmt, ...)
{
    char context[512], old[sizeof(err->message)];
    va_list ap;

    if (!err)
        return PV_EINTERNAL;
    va_start(ap, fmt);
    set_text(context, sizeof(context), fmt, ap);
    va_end(ap);
    memcpy(old, err->message, sizeof(old));
    if (err->rc == PV_OK)
        err->rc = PV_EINTERNAL;
    if (old[0] == '\0') {
        str_copy(err->message, sizeof(err->message), context);
    } else {
        char text[sizeof(context) + sizeof(old) + 2];

        snprintf(text, sizeof(text), "%s: %s", context, old);
        str_copy(err->message, sizeof(err->message), text);
    }
    return err->rc;
}

void pv_err_native(struct pv_err *err, const char *native_code)
{
    if (err)
        str_copy(err->native_code, sizeof(err->native_code), native_code ? native_code : "");
}

void pv_err_needs(struct pv_err *err, const char *needs)
{
    if (err)
        str_copy(err->needs, sizeof(err->needs), needs ? needs : "");
}

void pv_err_pointer(struct pv_err *err, const char *fmt, ...)
{
    va_list ap;

    if (!err)
        return;
    va_start(ap, fmt);
    set_text(err->pointer, sizeof(err->pointer), fmt, ap);
    va_end(ap);
}

void pv_err_remedy(struct pv_err *err, const char *fmt, ...)
{
    va_list ap;

    if (!err)
        return;
    va_start(ap, fmt);
    set_text(err->remedy, sizeof(err->remedy), fmt, ap);
    va_end(ap);
}

const struct pv_problem *pv_problem_find(const char *code)
{
    for (const struct pv_problem *p = problems; code && p->code; p++)
        if (strcmp(p->code, code) == 0)
            return p;
    return NULL;
}

const struct pv_problem *pv_err_problem(const struct pv_err *err)
{
    const struct pv_problem *p = err ? pv_problem_find(err->problem) : NULL;

    for (size_t i = 0; !p && err && i < CODES; i++)
        if (codes[i].rc == err->rc)
            p = pv_problem_find(codes[i].code);
    return p ? p : pv_problem_find("internal");
}

const struct pv_problem *pv_problems(void)
{
    return problems;
}

const char *pv_rc_name(int rc)
{
    for (size_t i = 0; i < CODES; i++)
        if (codes[i].rc == rc)
            return codes[i].name;
    return "PV_?";
}
