/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map_world - what is known of a host between readings.
 *
 * Mapping one VM needs its surroundings: which volume a path lies on, what a
 * switch is called, who has a role in the cluster, how fast a processor is.
 * A full reading makes a new world; until the next one it is immutable.
 *
 * Ownership: world_free. Threads: any (immutable).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/wmi/inventory_sight.h"

struct pv_err;

/* A volume, cluster shared volume or share, under one of its names. */
struct place {
    const char *prefix; /* normalised, ends with '\' */
    const char *id;     /* native id of the datastore */
};

struct world_switch {
    char guid[SIGHT_GUID];
    const char *id;   /* as the host writes it */
    const char *name;
};

/* A VM with a role in the failover cluster. */
struct world_role {
    char guid[SIGHT_GUID];
    uint32_t priority;
    const char *group;
    bool here; /* this host is the one that owns it */
};

struct world {
    struct arena *a;
    const char *host_id;    /* FQDN in lower case: native id of the host */
    const char *host_name;  /* computer name */
    const char *host_uuid;  /* SMBIOS UUID in lower case, or NULL */
    const char *cluster_id; /* NULL: no cluster */
    const char *product;    /* of the operating system, as it names itself; or NULL */
    uint64_t mhz;           /* of one core; 0: not known */
    uint64_t threads;
    uint64_t memory_bytes;
    uint32_t build;         /* 20348; 0: not known */
    unsigned major, minor;  /* 10, 0 */
    uint32_t sku, product_type;
    bool migration_off, migration_credssp; /* as far as the account may see it */
    const struct place *places; /* longest prefix first */
    size_t nplaces;
    const struct world_switch *switches; /* sorted by guid */
    size_t nswitches;
    const struct world_role *roles; /* sorted by guid */
    size_t nroles;
};

/* From a sight with READ_HOST and READ_PLACES. `fallback_name`: what we call the host when it does not say. */
int world_new(const struct sight *s, const char *fallback_name, struct world **out,
              struct pv_err *err);
void world_free(struct world *w);

const struct world_switch *world_switch(const struct world *w, const char *guid);
const struct world_role *world_role(const struct world *w, const char *guid);
/* The datastore a path lies on, NULL if none is known. `path` as the host wrote it. */
const char *world_datastore(const struct world *w, struct arena *a, const char *path);
/* One form for paths that mean the same file: lower case, '\', without \\?\ (but for volumes). NULL: no memory. */
const char *world_path(struct arena *a, const char *path);
/* The cluster shared volume that has this folder, or NULL. */
const struct cim_instance *world_shared_volume(const struct sight *s, const char *folder);
/* The share of a path \\server\share\...: \\server\share\ in lower case; NULL: it is not on one. */
const char *world_share(struct arena *a, const char *path);
