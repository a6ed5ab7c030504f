/* SPDX-License-Identifier: Apache-2.0 */
/*
 * err - how a function says what went wrong.
 *
 * A function that can fail returns PV_OK or a negative enum pv_rc and fills a
 * `struct pv_err` that its caller has on the stack; the pointer may be NULL.
 * The struct has a fixed size, so reporting an error cannot run out of memory.
 * Over-long texts are cut at a UTF-8 boundary.
 *
 * Ownership: plain values. Threads: each struct belongs to one thread.
 */
#pragma once

#include <stdarg.h>

#include <polyvisor/rc.h>

struct pv_err {
    int rc;                 /* enum pv_rc; 0: nothing happened yet */
    unsigned retry_s;       /* trying again makes sense after so long; 0: not said */
    const char *problem;    /* problem code if it is not the rc's usual one; a static string */
    char native_code[80];   /* the provider's own code, as it writes it; holds "sha256:" and 64 digits */
    char needs[128];        /* the missing privilege or feature, where that is the reason */
    char pointer[128];      /* JSON pointer or parameter name of the bad input, or "" */
    char message[512];      /* for people: what happened, to what */
    char remedy[256];       /* for people: what to do; "" means the problem code's usual one */
};

/* What errors.def says about a problem code; the table ends with code == NULL. */
struct pv_problem {
    const char *code;
    int rc;                 /* enum pv_rc it belongs to, 0 for codes of the API layer */
    int status;             /* HTTP status */
    const char *title;
    const char *remedy;     /* usual remedy, may be "" */
};

/* Fill *err and yield rc: `return pv_fail(err, PV_EFORMAT, "%s is too small", path);` */
int pv_fail(struct pv_err *err, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The same with a problem code of its own; rc follows from the code. */
int pv_fail_as(struct pv_err *err, const char *problem, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for errno values: ENOENT, ENOSPC, EACCES, ETIMEDOUT... choose the rc; the text is appended. */
int pv_fail_os(struct pv_err *err, int errnum, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Put context before the message: "while reading x: ...". Keeps the code. Returns err's rc (or PV_EINTERNAL). */
int pv_wrap(struct pv_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void pv_err_native(struct pv_err *err, const char *native_code);
void pv_err_needs(struct pv_err *err, const char *needs);
void pv_err_pointer(struct pv_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void pv_err_remedy(struct pv_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The problem of an error: its own code if it has one, else the rc's usual one. Never NULL. */
const struct pv_problem *pv_err_problem(const struct pv_err *err);
/* The problem with this code, or NULL. */
const struct pv_problem *pv_problem_find(const char *code);
/* All problems, ended by code == NULL. */
const struct pv_problem *pv_problems(void);
/* "PV_EINVAL" and so on; "PV_?" for a number that is none. */
const char *pv_rc_name(int rc);
