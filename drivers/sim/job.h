/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job - one operation while it is carried out.
 *
 * An operation is checked (`check`), waits as long as it would take, and then
 * takes effect (`apply`), all or nothing: what is called off has changed
 * nothing. Both run with the estate's lock held and may fail; what they say
 * about the outcome goes into `answer`.
 *
 * Ownership: texts are borrowed from the call; `subject`, `args` and `answer`
 * are owned by the job. Threads: that of the call.
 */
#pragma once

#include <jansson.h>

#include <polyvisor/err.h>
#include <polyvisor/model.h>

#include "drivers/sim/sim.h"

struct job;
typedef int (*sim_job_fn)(struct job *j, struct pv_err *err);

/* How the families call an operation and how long it takes. Names, states and effects are the
 * model's. */
struct sim_native {
    const char *name, *vim, *hyperv;
    uint32_t min_ms, max_ms;
    unsigned flags; /* BY_* */
    enum sim_happening done;
    sim_job_fn check, apply;          /* NULL: nothing beside what call.c does */
    uint64_t (*bytes)(struct job *j); /* to be copied; NULL: none */
    const char *const *steps;         /* ended by NULL; NULL: none */
};

struct job {
    struct sim_estate *e;
    const struct sim_call *call;
    const struct model_operation *op;
    const struct sim_native *native;
    json_t *subject, *args; /* owned */
    json_t *answer;         /* owned: further members of the result */
    json_t *doc;            /* owned: of a VM to be made */
    json_t *calls;          /* owned: what a dry run names beside the call itself; NULL: nothing */
    const char *subject_id; /* borrowed from subject */
    const char *owner_id;   /* the same; "" for what has none */
    const char *vm_id;      /* the same, the owner's, or `id`; "" for places */
    char id[SIM_ID_MAX];
    bool has_vm;
    uint32_t index;
    struct sim_vm vm;
    uint16_t snapshot;   /* serial of the subject, or of what was made */
    uint32_t place_host; /* of place operations */
    uint64_t number;
    int64_t duration_ms;
    uint64_t bytes;
    struct sim_content *content; /* received, and not yet a file's; owned */
    bool fails, no_op, cut_power;
    bool left;  /* it is with another provider now */
    bool trial; /* on a copy, to see whether it would work */
};

static inline bool job_flag(const struct job *j, const char *name)
{
    return json_is_true(json_object_get(j->args, name));
}

static inline const char *job_text(const struct job *j, const char *name)
{
    const char *v = json_string_value(json_object_get(j->args, name));

    return v ? v : "";
}

/* Native id of an object that a parameter names; "" if it is not given. */
static inline const char *job_ref(const json_t *params, const char *name)
{
    const char *v = json_string_value(json_object_get(json_object_get(params, name), "native_id"));

    return v ? v : "";
}

/* Sets the code the family would give. Answers rc. */
int job_native(const struct job *j, struct pv_err *err, int rc, const char *vim,
               const char *hyperv);
/* There is no such thing (any more). */
int job_gone(const struct job *j, struct pv_err *err, const char *what);
/* What was made, or is to be read again. */
void job_made(struct job *j, const char *kind, const char *native_id, const char *owner);
void job_touched(struct job *j, const char *kind, const char *native_id, bool abroad);
void job_difference(struct job *j, const char *text);

/* hardware.c */
int sim_check_reconfigure(struct job *j, struct pv_err *err);
int sim_apply_reconfigure(struct job *j, struct pv_err *err);
int sim_check_device(struct job *j, struct pv_err *err);
int sim_apply_device(struct job *j, struct pv_err *err);
/* What the family has no idea of, as the table says it; PV_ENOTSUP with the pointer. */
int sim_check_family(const struct job *j, const struct model_param *table, const json_t *args,
                     const char *pointer, struct pv_err *err);
void sim_doc_totals(const struct sim_estate *e, json_t *doc);
/* Refusals: a value that cannot be, a change that needs the VM to be off. */
int sim_bad(const struct job *j, struct pv_err *err, const char *pointer, const char *why);
int sim_not_while_running(const struct job *j, struct pv_err *err, const char *what);

/* devices.c */
/* One more device in this document. *key: of the new one, SIM_ID_MAX. */
int sim_add_device(struct job *j, json_t *doc, const struct model_kind *kind, const json_t *args,
                   char *key, struct pv_err *err);
/* The controller's place in `fields`: what was asked for, else the first that is free. */
int sim_find_slot(const struct job *j, const json_t *doc, const char *usual, json_t *fields,
                  struct pv_err *err);
/* The file of an image: its datastore, and its path there. */
int sim_store_of(const struct job *j, const json_t *image, uint32_t *store, struct pv_err *err);
void sim_store_path(const struct job *j, const json_t *image, uint32_t store, const char *name,
                    char *out, size_t cap);
bool sim_set_mac(json_t *fields, const char *text);

/* lifecycle.c */
int sim_check_create(struct job *j, struct pv_err *err);
int sim_apply_create(struct job *j, struct pv_err *err);
int sim_check_clone(struct job *j, struct pv_err *err);
int sim_apply_clone(struct job *j, struct pv_err *err);
int sim_apply_import(struct job *j, struct pv_err *err);
int sim_apply_delete(struct job *j, struct pv_err *err);
int sim_apply_template(struct job *j, struct pv_err *err);
int sim_apply_nothing(struct job *j, struct pv_err *err);
int sim_apply_data(struct job *j, struct pv_err *err);
int sim_apply_metrics(struct job *j, struct pv_err *err);
/* A copy knows nothing of where and how its model ran. */
void sim_doc_forget(json_t *fields);
/* Its adapters on the networks that the parameters name instead. */
void sim_map_networks(const struct job *j, json_t *doc);

/* maintenance.c */
int sim_check_rest(struct job *j, struct pv_err *err);
int sim_apply_rest(struct job *j, struct pv_err *err);

/* host_emit.c */
int sim_check_service(struct job *j, struct pv_err *err);
int sim_apply_service(struct job *j, struct pv_err *err);

/* moving.c */
int sim_check_move(struct job *j, struct pv_err *err);
int sim_apply_move(struct job *j, struct pv_err *err);
/* A host of the place with this native id; false: there is no such place. */
bool sim_host_of(const struct sim_estate *e, enum pv_kind kind, const char *id, uint32_t *host);
/* The most exact place that parameters name; `host` stays when they name none. */
int sim_named_place(const struct job *j, const struct sim_estate *e, uint32_t *host,
                    struct pv_err *err);
int sim_named_store(const struct job *j, const struct sim_estate *e, uint32_t host,
                    uint32_t *store, struct pv_err *err);
uint64_t sim_bytes_disks(struct job *j);
uint64_t sim_bytes_move(struct job *j);

/* things.c: switches and disk images, that people made */
int sim_check_thing(struct job *j, struct pv_err *err);
int sim_apply_thing(struct job *j, struct pv_err *err);
uint64_t sim_bytes_image(struct job *j);
/* A file that is left over. */
void sim_keep_file(struct job *j, const json_t *disk_fields);

/* screen.c: answers at once */
int sim_apply_screenshot(struct job *j, struct pv_err *err);
int sim_check_keystrokes(struct job *j, struct pv_err *err);
int sim_apply_console(struct job *j, struct pv_err *err);
