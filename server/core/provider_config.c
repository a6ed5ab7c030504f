/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A provider's row as the texts a driver gets: its configuration and its secrets.
 */
#include "server/core/internal.h"

#include <stdlib.h>
#include <string.h>

static json_t *list_json(const char *text)
{
    json_t *out = json_array();
    const char *from = text;

    while (*from == '\n')
        from++;
    while (*from) {
        size_t len = strcspn(from, "\n");

        json_array_append_new(out, json_stringn(from, len));
        from += len;
        from += *from == '\n';
    }
    return out;
}

static json_t *text_or_null(const struct model_row *row, unsigned field)
{
    return model_get(row, field)->set ? json_string(model_text(row, field)) : json_null();
}

void provider_secrets_free(char *secrets)
{
    if (secrets)
        explicit_bzero(secrets, strlen(secrets));
    free(secrets);
}

int provider_config_of(const struct model_row *row, const char *password, char **config,
                       char **secrets, struct pv_err *err)
{
    const char *settings = model_text(row, F(provider, settings));
    json_t *parsed = settings[0] ? json_loads(settings, 0, NULL) : NULL;
    PV_AUTO(json_decref_p) json_t *json = json_pack(
        "{s:o, s:o, s:o, s:o, s:{s:s, s:o, s:o}}", "name", text_or_null(row, F(provider, name)),
        "endpoint", text_or_null(row, F(provider, endpoint)), "username",
        text_or_null(row, F(provider, username)), "settings", parsed ? parsed : json_object(), "tls",
        "mode", model_enum_text(PV_ENUM_tls_mode, model_number(row, F(provider, tls_mode))),
        "ca_pem", text_or_null(row, F(provider, tls_ca_pem)), "pins",
        list_json(model_text(row, F(provider, tls_pins))));
    PV_AUTO_FREE char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_t *hidden = password ? json_pack("{s:s}", "password", password) : json_object();
    char *wiped = hidden ? json_dumps(hidden, JSON_COMPACT) : NULL;

    if (password && hidden) {
        const char *inner = json_string_value(json_object_get(hidden, "password"));

        if (inner)
            explicit_bzero((char *)inner, strlen(inner));
    }
    json_decref(hidden);
    if (!text || !wiped) {
        provider_secrets_free(wiped);
        return pv_fail(err, PV_ENOMEM, "no memory for the provider's configuration");
    }
    *config = PV_TAKE(text);
    *secrets = wiped;
    return PV_OK;
}

int provider_config(struct provider *p, char **config, char **secrets, struct pv_err *err)
{
    struct core *c = p->core;
    PV_AUTO(arena_free_p) struct arena *a = arena_new(16384, 1u << 20);
    struct model_row *row = NULL;
    const char *sealed = NULL;
    char *password = NULL;
    int rc;

    if (!a)
        return pv_fail(err, PV_ENOMEM, "no memory for the provider's configuration");
    rc = store_row_get(c->store, c->kinds[PV_KIND_provider].shape, &p->id, a, &row, err);
    if (rc == PV_OK)
        rc = store_secret_get(c->store, PV_KIND_provider, &p->id, F(provider, password), a, &sealed,
                              err);
    if (rc == PV_ENOENT && row) {
        sealed = NULL;
        rc = PV_OK;
    }
    if (rc == PV_OK && sealed && sealed[0] && c->config.secret_open)
        rc = c->config.secret_open(c->config.ctx, PV_KIND_provider, &p->id, F(provider, password), sealed, &password,
                                   err);
    if (rc != PV_OK)
        return rc;
    rc = provider_config_of(row, password, config, secrets, err);
    if (password)
        c->config.secret_free(password);
    return rc;
}
