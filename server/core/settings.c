/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/settings.h"

#include <stdio.h>
#include <string.h>

#include "server/core/internal.h"

#define KEY_LEN 80
#define LOG_LEVEL "log.level"

static const struct core_setting_info infos[CORE_SETTING_COUNT] = {
#define SETTING_GROUP(group, doc)
#define SETTING(group_, name_, preset_, least_, most_, doc_) \
    [CORE_SETTING_##group_##_##name_] = { #group_, #name_, preset_, least_, most_, .flag = false },
#define SETTING_FLAG(group_, name_, preset_, doc_) \
    [CORE_SETTING_##group_##_##name_] = { #group_, #name_, preset_, 0, 1, .flag = true },
#define SETTING_GROUP_END(group)
#include "server/core/settings.def"
#undef SETTING_GROUP
#undef SETTING
#undef SETTING_FLAG
#undef SETTING_GROUP_END
};

const struct core_setting_info *core_setting_info(enum core_setting which)
{
    return &infos[which];
}

int64_t core_setting(const struct core *c, enum core_setting which)
{
    return atomic_load_explicit(&c->settings[which], memory_order_relaxed);
}

int64_t core_missing_grace_ms(const struct core *c)
{
    return c->config.missing_grace_ms ? c->config.missing_grace_ms
                                      : core_setting(c, CORE_SETTING_sync_missing_minutes) * 60000;
}

int64_t core_gone_after_ms(const struct core *c)
{
    return c->config.gone_after_ms ? c->config.gone_after_ms
                                   : core_setting(c, CORE_SETTING_sync_gone_after_days) * 24 * 3600 * 1000;
}

static void key_of(enum core_setting which, char out[KEY_LEN])
{
    snprintf(out, KEY_LEN, "%s.%s", infos[which].group, infos[which].name);
}

static int check(const struct core_settings_change *change, struct pv_err *err)
{
    enum log_level level;

    for (int i = 0; i < CORE_SETTING_COUNT; i++) {
        const struct core_setting_info *s = &infos[i];
        int64_t v = change->values[i];
        int rc;

        if (v == CORE_SETTING_KEEP || (v >= s->least && v <= s->most))
            continue;
        rc = pv_fail(err, PV_EINVAL, "%s: must be %lld to %lld", s->name, (long long)s->least, (long long)s->most);
        pv_err_pointer(err, "/%s/%s", s->group, s->name);
        return rc;
    }
    if (change->log_level && !log_level_parse(change->log_level, &level)) {
        int rc = pv_fail(err, PV_EINVAL, "level: is not one of the choices");

        pv_err_pointer(err, "/log/level");
        return rc;
    }
    return PV_OK;
}

static int change_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    const struct core_settings_change *change = arg;
    int rc = PV_OK;

    for (int i = 0; i < CORE_SETTING_COUNT && rc == PV_OK; i++) {
        char key[KEY_LEN], text[24];

        if (change->values[i] == CORE_SETTING_KEEP)
            continue;
        key_of((enum core_setting)i, key);
        snprintf(text, sizeof(text), "%lld", (long long)change->values[i]);
        rc = tx_setting_put(tx, key, text, err);
    }
    if (rc == PV_OK && change->log_level)
        rc = tx_setting_put(tx, LOG_LEVEL, change->log_level, err);
    return rc;
}

static void apply(struct core *c, const struct core_settings_change *change)
{
    enum log_level level;

    for (int i = 0; i < CORE_SETTING_COUNT; i++)
        if (change->values[i] != CORE_SETTING_KEEP)
            atomic_store_explicit(&c->settings[i], change->values[i], memory_order_relaxed);
    if (change->log_level && log_level_parse(change->log_level, &level))
        log_level_set(level);
}

int core_settings_change(struct core *c, const struct core_settings_change *change, struct pv_err *err)
{
    struct core_settings_change copy = *change;
    int rc = check(change, err);

    if (rc == PV_OK)
        rc = store_write(c->store, change_tx, &copy, err);
    if (rc != PV_OK)
        return rc;
    apply(c, change);
    tasks_wake(c);
    return PV_OK;
}

int core_settings_load(struct core *c, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(2048, 65536);
    struct core_settings_change found = { .log_level = NULL };
    int rc = a ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory for settings");

    for (int i = 0; i < CORE_SETTING_COUNT && rc == PV_OK; i++) {
        const char *text = NULL;
        char key[KEY_LEN];
        uint64_t v;

        key_of((enum core_setting)i, key);
        rc = store_setting_get(c->store, key, a, &text, err);
        if (rc == PV_ENOENT)
            rc = PV_OK;
        /* What an older server allowed and this one does not is as if it were not set. */
        found.values[i] = text && str_u64(text, strlen(text), (uint64_t)infos[i].most, &v) &&
                                  (int64_t)v >= infos[i].least
                              ? (int64_t)v
                              : infos[i].preset;
    }
    if (rc == PV_OK) {
        rc = store_setting_get(c->store, LOG_LEVEL, a, &found.log_level, err);
        if (rc == PV_ENOENT)
            rc = PV_OK;
    }
    if (rc == PV_OK)
        apply(c, &found);
    return rc;
}
