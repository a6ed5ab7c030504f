/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files - what lies in the datastores of the estate.
 *
 * Files follow from what there is: disks and configurations of VMs, images
 * that somebody made, images of installation media, and a few disks that
 * nobody uses any more. Kept is only what people changed: folders and files
 * that were made or moved, and paths that are no more. Paths are relative to
 * the datastore, with slashes.
 *
 * Ownership: texts of a file are valid during the call. Threads: all with the
 * estate's lock held.
 */
#pragma once

#include "drivers/sim/job.h"

struct sim_disk_file {
    char path[512], parent[512]; /* as inventory writes them; parent "" : none */
    const char *vm_id;           /* "" : nobody uses it */
    const char *vm_name;
    uint64_t capacity, bytes;
    enum pv_provisioning layout;
    enum pv_disk_format format;
    uint32_t store;
    int64_t modified_ms;
    bool lost_parent; /* the file it differs from is not there */
};
typedef void (*sim_disk_fn)(void *ctx, const struct sim_disk_file *f);

/* Disk files of one VM, those below them included. */
void sim_vm_disk_files(const struct sim_estate *e, uint32_t index, sim_disk_fn fn, void *ctx);
/* Disk files that nobody uses. */
void sim_orphan_files(const struct sim_estate *e, sim_disk_fn fn, void *ctx);
/* Records of images (Hyper-V; in vSphere files are no objects). `native_id`: only this one, NULL:
 * all. Answers how many. */
unsigned sim_images_emit(const struct sim_estate *e, struct pv_builder *b, const char *native_id);
void sim_vm_images_emit(const struct sim_estate *e, struct pv_builder *b, uint32_t index);
/* The VM goes: its images, too. */
void sim_vm_images_gone(const struct sim_estate *e, struct pv_builder *b, uint32_t index);
/* What a document of such an image holds; owned. NULL: the seed has no such image. */
struct json_t *sim_seed_image(const struct sim_estate *e, const char *native_id, bool *used);
/* A path was deleted or moved away. `full`: as inventory writes it. */
bool sim_path_away(const struct sim_estate *e, const char *full);
void sim_path_leave(struct sim_estate *e, const char *full);

/* An image that somebody made is no more (things.c). */
void sim_image_forget(struct sim_estate *e, const char *full);

/* A file of the job's datastore: {path, size, ms, vm?, as?, content?}, owned. A folder is refused. */
int sim_file_look(const struct job *j, const char *path, json_t **out, struct pv_err *err);
/* May a file be put there? `overwrite`: in the place of one that no VM has. */
int sim_file_room(const struct job *j, const char *path, bool overwrite, struct pv_err *err);
/* It is there now. `content`: number of what is in it. */
int sim_file_made(struct job *j, const char *path, uint64_t size, int64_t content, struct pv_err *err);

/* contents.c */
void sim_contents_free(struct sim_estate *e);
void sim_content_drop(struct sim_estate *e, int64_t number);
/* What was received becomes nothing. */
void sim_content_forget(struct job *j);
/* Both without the lock. */
int sim_download(struct job *j, struct pv_err *err);
int sim_receive(struct job *j, struct pv_err *err);
int sim_check_upload(struct job *j, struct pv_err *err);
int sim_apply_upload(struct job *j, struct pv_err *err);

int sim_check_file(struct job *j, struct pv_err *err);
int sim_apply_file(struct job *j, struct pv_err *err);
int sim_apply_files(struct job *j, struct pv_err *err);
