/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report_inner - what report.c (classes) and report_methods.c share.
 *
 * One report being written: everything goes into `w`, every text through
 * `mask`. Ownership: all members are borrowed. Threads: one at a time.
 */
#pragma once

#include <stdint.h>

#include <libxml/tree.h>

#include "drivers/wmi/report.h"
#include "drivers/wmi/report_mask.h"

struct cim_class;

struct report {
    struct wmi *wmi;
    const struct call *c;
    const struct report_options *o;
    struct mask mask;
    struct jsonw *w;
    const struct cim_class *cls; /* what the element that is written is an instance of */
    uint64_t count;
};

/* `name`: the property whose value it is; the mask goes by it. */
void report_put_text(struct report *r, const char *key, const char *name, const char *text);
void report_put_object(struct report *r, const char *key, const xmlNode *object, unsigned depth);
/* A member "error". */
void report_put_error(struct report *r, const struct pv_err *err);
/* Answers of the methods that only read, as members of the object that is open. Fails as the host
 * is lost. */
int report_methods(struct report *r, struct pv_err *err);
