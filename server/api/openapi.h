/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openapi - the parts of the OpenAPI document that its files share: openapi.c writes the routes,
 * openapi_kinds.c the schemas of the model's kinds.
 *
 * Everything is written into the caller's jsonw, inside the object that is open. Threads: any;
 * nothing is kept.
 */
#pragma once

#include "server/api/internal.h"

/* Names, units and docs of the metrics, as members of the open object. */
void metrics_write(struct jsonw *w);
/* The member `type`: this one, or null. */
void openapi_nullable(struct jsonw *w, const char *type);
/* A member `key` (NULL: an element) that refers to a schema by name. */
void openapi_ref(struct jsonw *w, const char *key, const char *schema);
/* The name of a kind's schema, "resource_pool" -> "ResourcePool"; `out`. */
const char *openapi_name(const struct model_kind *k, char out[64]);
/* The member `components`: the schemas of all kinds and of api_schemas. */
int openapi_components(struct jsonw *w, struct arena *a, struct pv_err *err);
