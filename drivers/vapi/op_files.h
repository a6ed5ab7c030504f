/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op_files - a datastore and what lies in it, as op_files.c and op_content.c see them.
 *
 * Ownership: file_store_free. Threads: the call's.
 */
#pragma once

#include "drivers/vapi/values.h"

struct operation;

struct file_store {
    char name[256]; /* as people read it */
    struct moref browser, datacenter;
    struct moref *vms; /* owned */
    size_t nvms;
};

struct file_found {
    bool there, folder;
    uint64_t size;
    int64_t modified_ms;
};

/* The datastore the operation is about. */
int file_store_find(struct operation *o, struct file_store *s, struct pv_err *err);
void file_store_free(struct file_store *s);
/* Is it there, and what is it? PV_ENOENT: its folder is not. */
int file_look(struct operation *o, const struct file_store *s, const char *path,
              struct file_found *out, struct pv_err *err);
/* PV_ESTATE, with its name, if a VM has it. */
int file_check_unused(struct operation *o, const struct file_store *s, const char *path,
                      struct pv_err *err);
/* Half of a file goes; a failure is logged. */
void file_drop(struct operation *o, const struct file_store *s, const char *path);
