/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/sdk/args.h"

#include <string.h>

#include <polyvisor/str.h>

const json_t *op_member(const json_t *object, const char *path)
{
    while (object && *path) {
        size_t len = strcspn(path, ".");
        char key[64];

        if (!str_copy_n(key, sizeof(key), path, len))
            return NULL;
        object = json_object_get(object, key);
        path += len + (path[len] == '.' ? 1 : 0);
    }
    return object;
}

const char *op_member_str(const json_t *object, const char *path)
{
    return json_string_value(op_member(object, path));
}
