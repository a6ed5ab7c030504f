/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings - what administrators set while the server runs.
 *
 * Numbers are lines of settings.def; the log level is a word. All of them are
 * read from storage at start and in force as soon as a change is on disk.
 *
 * Threads: any. Reading a number costs one atomic load.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct core;
struct pv_err;

enum core_setting {
#define SETTING_GROUP(group, doc)
#define SETTING(group, name, preset, least, most, doc) CORE_SETTING_##group##_##name,
#define SETTING_FLAG(group, name, preset, doc) CORE_SETTING_##group##_##name,
#define SETTING_GROUP_END(group)
#include "server/core/settings.def"
#undef SETTING_GROUP
#undef SETTING
#undef SETTING_FLAG
#undef SETTING_GROUP_END
    CORE_SETTING_COUNT,
};

struct core_setting_info {
    const char *group, *name;
    int64_t preset, least, most;
    bool flag;          /* 1 is yes, 0 is no */
};

const struct core_setting_info *core_setting_info(enum core_setting which);
int64_t core_setting(const struct core *c, enum core_setting which);

#define CORE_SETTING_KEEP INT64_MIN

/* What is to be changed: CORE_SETTING_KEEP and NULL leave things as they are. */
struct core_settings_change {
    int64_t values[CORE_SETTING_COUNT];
    const char *log_level;
};

/* In one transaction. PV_EINVAL: a value is out of bounds. */
int core_settings_change(struct core *c, const struct core_settings_change *change, struct pv_err *err);
/* How long an object may be unlisted before it is told, and before it counts as gone. */
int64_t core_missing_grace_ms(const struct core *c);
int64_t core_gone_after_ms(const struct core *c);
/* From storage; of core_start alone. */
int core_settings_load(struct core *c, struct pv_err *err);
