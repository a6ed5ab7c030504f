/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hw - the devices of a VM as operations need them: what is where, and what
 * is to be added.
 *
 * hw_read reads a VM's; of a VM that is made the list begins with what every
 * VM has (hw_begin). hw_add_* and hw_edit_* put a deviceChange into a spec
 * and what it makes into the list, under a negative key, so that the next one
 * sees which places are taken.
 *
 * Ownership: hw_free. Threads: the call's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "drivers/vapi/values.h"

struct enc_object;
struct operation;
struct pv_err;

enum hw_class { HW_OTHER, HW_CONTROLLER, HW_DISK, HW_CDROM, HW_NIC, HW_FLOPPY };
enum hw_bus { HW_NO_BUS, HW_IDE, HW_SCSI, HW_SATA, HW_NVME };

/* What an adapter is attached to, in vSphere's three ways. */
struct hw_net {
    enum { HW_NET_NONE, HW_NET_STANDARD, HW_NET_PORTGROUP, HW_NET_OPAQUE } way;
    char name[256]; /* standard: the network's name; opaque: its type */
    char id[160];   /* standard: its object, "" if not known; portgroup, opaque: its key */
    char switch_uuid[80];
};

struct hw_device {
    enum hw_class cls;
    enum hw_bus bus;                 /* of a controller */
    int32_t key, controller, number; /* number: of a controller's bus */
    int32_t unit;                    /* -1: none */
    char type[48], label[96];
    char backing[64]; /* type of what it stands for */
    char path[512], store[160];
    char mode[40], sharing[32], uuid[64];
    bool thin, eager, known_layout;
    int64_t capacity, iops; /* iops -1: no limit */
    char mac[20], mac_mode[16];
    struct hw_net net;
    bool connected, at_start, guest_control;
};

struct hw {
    struct hw_device *list; /* owned */
    size_t count, room;
    char store[256]; /* name of the datastore of the VM's own files */
    struct moref host, pool, folder, snapshot;
    bool running, making;
    int32_t next_key; /* of what is added: -101, -102 ... */
};

int hw_read(struct operation *o, struct hw *out, struct pv_err *err);
int hw_begin(struct hw *out, const char *store, struct pv_err *err);
void hw_free(struct hw *hw);

struct hw_device *hw_find(struct hw *hw, int32_t key);
/* The subject of the operation; PV_ENOENT. */
int hw_subject(struct operation *o, struct hw *hw, enum hw_class cls, struct hw_device **out,
               struct pv_err *err);
enum hw_bus hw_bus_of(const char *word); /* "scsi"; HW_NO_BUS: there is none such */
const char *hw_bus_word(enum hw_bus bus);
/* A free place, or the one that is asked for; a controller is added to spec when it takes one.
 * `where`: {type, bus, unit} or NULL. The pointer may become invalid with the next hw_add. */
int hw_place(struct operation *o, struct hw *hw, struct enc_object *spec, const json_t *where,
             enum hw_class cls, int32_t *controller, int32_t *unit, struct pv_err *err);
/* One more device in the list. NULL: no memory, or too many. */
struct hw_device *hw_new(struct hw *hw, enum hw_class cls, const char *type);
/* Every device in words of our fields, into the result's `devices`. */
void hw_put_devices(struct operation *o, const struct hw *hw);
/* "[store] path": what {"datastore", "path"} mean. False and *err: it cannot be. */
int hw_file(struct operation *o, const struct hw *hw, const json_t *file, const char *pointer,
            char *out, size_t cap, struct pv_err *err);

/* hw_spec.c: into `spec`.deviceChange. `pointer` is the member's path for messages. */
int hw_add_controller(struct operation *o, struct hw *hw, struct enc_object *spec,
                      const json_t *args, struct pv_err *err);
int hw_add_disk(struct operation *o, struct hw *hw, struct enc_object *spec, const json_t *args,
                struct pv_err *err);
int hw_add_cdrom(struct operation *o, struct hw *hw, struct enc_object *spec, const json_t *args,
                 struct pv_err *err);
int hw_add_nic(struct operation *o, struct hw *hw, struct enc_object *spec, const json_t *args,
               struct pv_err *err);
int hw_edit_disk(struct operation *o, struct hw_device *d, struct enc_object *spec,
                 const json_t *args, struct pv_err *err);
int hw_edit_nic(struct operation *o, struct hw_device *d, struct enc_object *spec,
                const json_t *args, struct pv_err *err);
/* What is in the drive: "[store] path", or "" for nothing. */
void hw_edit_cdrom(struct hw_device *d, struct enc_object *spec, const char *path);
void hw_remove(const struct hw_device *d, struct enc_object *spec, bool with_file);
void hw_put_controller(struct enc_object *spec, const struct hw_device *d);
/* How a disk of this backing takes space, as `subformat` says; false: vSphere has no such way. */
bool hw_put_layout(struct enc_object *backing, const char *subformat);
/* Reads what a network is attached by. */
int hw_net_of(struct operation *o, const char *id, struct hw_net *out, struct pv_err *err);
