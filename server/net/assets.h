/* SPDX-License-Identifier: Apache-2.0 */
/*
 * assets - the files of the browser page, read once at start.
 *
 * All of them stay in memory: a request opens no file, so no path it names can
 * lead out of the folder, and an upgrade that replaces the files does not mix
 * two versions of the page. A file's packed forms (name.br, name.gz) stand
 * beside it and are never made here. Links, hidden files and what is too large
 * or too deep are left out.
 *
 * Read by all threads without locks.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct assets;
struct pv_err;
struct request;

enum asset_form { ASSET_PLAIN, ASSET_BR, ASSET_GZ, ASSET_FORMS };

struct asset {
    const char *path; /* "/assets/index-a1b2c3d4.js" */
    const char *type; /* Content-Type */
    bool for_ever;    /* its name changes with its content */
    struct asset_body {
        const char *data; /* NULL: there is no such form */
        size_t len;
        char etag[28]; /* with its quotes */
    } forms[ASSET_FORMS];
};

/* PV_ENOENT: there is no index.html in the folder. */
int assets_load(const char *folder, struct assets **out, struct pv_err *err);
void assets_free(struct assets *a);
/* By the path of a request; NULL: there is none. */
const struct asset *assets_find(const struct assets *a, const char *path);
size_t assets_count(const struct assets *a);
