/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schemas - JSON Schemas of the answers that are not objects of the model.
 */
#pragma once

struct named_schema {
    const char *name;
    const char *json;
};

/* Ended by name == NULL. */
extern const struct named_schema api_schemas[];
