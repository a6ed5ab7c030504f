/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cli/context.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <polyvisor/str.h>

#include "server/cli/client.h"
#include "server/cli/output.h"
#include "server/cli/term.h"

#define FILE_MAX (1u << 20)

static const char *set_text(const char *text)
{
    return text && *text ? text : NULL;
}

static int file_path(struct cli *c, const char **out, struct pv_err *err)
{
    const char *path = set_text(getenv("POLYVISOR_CONFIG"));
    const char *home = set_text(getenv("XDG_CONFIG_HOME"));

    if (!path && home)
        path = arena_printf(c->arena, "%s/polyvisor/config.json", home);
    home = set_text(getenv("HOME"));
    if (!path && home)
        path = arena_printf(c->arena, "%s/.config/polyvisor/config.json", home);
    if (!path)
        return pv_fail(err, PV_EINVAL,
                       "there is no place for contexts: neither POLYVISOR_CONFIG nor HOME is set");
    *out = path;
    return PV_OK;
}

int context_load(struct cli *c, json_t **out, struct pv_err *err)
{
    struct pv_err missing = { 0 };
    const char *path = NULL;
    char *text = NULL;
    json_error_t why;
    int rc = file_path(c, &path, err);

    if (rc != PV_OK)
        return rc;
    rc = str_read_file(path, FILE_MAX, &text, NULL, &missing);
    if (rc == PV_ENOENT) {
        *out = json_pack("{s:n, s:{}}", "current", "contexts");
        return PV_OK;
    }
    if (rc != PV_OK) {
        *err = missing;
        return rc;
    }
    *out = json_loads(text, JSON_REJECT_DUPLICATES, &why);
    explicit_bzero(text, strlen(text));
    free(text);
    if (json_is_object(*out) && json_is_object(json_object_get(*out, "contexts")))
        return PV_OK;
    json_decref(*out);
    pv_fail(err, PV_EFORMAT, "%s cannot be read as contexts (line %d: %s)", path, why.line,
            why.text);
    pv_err_remedy(err, "Correct the file, or remove it and sign in again.");
    return PV_EFORMAT;
}

/* All folders above the file, for the owner alone where they are new. */
static int make_folders(const char *path, struct pv_err *err)
{
    char folder[PATH_MAX];

    if (!str_copy(folder, sizeof(folder), path))
        return pv_fail(err, PV_EINVAL, "the path of the contexts is too long");
    for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(folder, 0700) != 0 && errno != EEXIST)
            return pv_fail_os(err, errno, "making the folder %s", folder);
        *slash = '/';
    }
    return PV_OK;
}

int context_save(struct cli *c, const json_t *file, struct pv_err *err)
{
    const char *path = NULL;
    char *text;
    int rc = file_path(c, &path, err);

    if (rc == PV_OK)
        rc = make_folders(path, err);
    if (rc != PV_OK)
        return rc;
    text = json_dumps(file, JSON_INDENT(2));
    if (!text)
        return pv_fail(err, PV_ENOMEM, "no memory for the contexts");
    rc = str_write_file(path, text, strlen(text), 0600, err);
    explicit_bzero(text, strlen(text));
    free(text);
    return rc;
}

const char *context_url(struct arena *a, const char *text)
{
    char *url;
    size_t scheme = str_starts(text, "https://") ? 8 : str_starts(text, "http://") ? 7 : 0, len;

    if (scheme == 0 && strstr(text, "://"))
        return NULL;
    url = scheme ? arena_strdup(a, text) : arena_printf(a, "https://%s", text);
    if (!url)
        return NULL;
    scheme = scheme ? scheme : 8;
    len = strcspn(url + scheme, "/?#");
    if (len == 0 || memchr(url + scheme, '@', len))
        return NULL;
    url[scheme + len] = '\0';
    return url;
}

bool context_host(struct arena *a, const char *url, const char **host, unsigned *port)
{
    bool tls = str_starts(url, "https://");
    const char *at = strstr(url, "://"), *end;
    uint64_t n = tls ? 443 : 80;

    if (!at)
        return false;
    at += 3;
    if (*at == '[') {
        end = strchr(++at, ']');
        if (!end)
            return false;
        *host = arena_text(a, at, (size_t)(end - at));
        end++;
    } else {
        end = at + strcspn(at, ":");
        *host = arena_text(a, at, (size_t)(end - at));
    }
    if (*end == ':' && !str_u64(end + 1, strlen(end + 1), 65535, &n))
        return false;
    *port = (unsigned)n;
    return *host && **host;
}

int context_choose(struct cli *c, struct pv_err *err)
{
    const char *url = set_text(cli_flag(c, "url")), *name = set_text(cli_flag(c, "context"));
    const char *saved_url = NULL;
    json_t *file, *entry;
    int rc;

    if (c->url)
        return PV_OK;
    if (!url && !name)
        url = set_text(getenv("POLYVISOR_URL"));
    if (!name)
        name = set_text(getenv("POLYVISOR_CONTEXT"));
    rc = context_load(c, &file, err);
    if (rc != PV_OK)
        return rc;
    if (!name)
        name = json_string_value(json_object_get(file, "current"));
    entry = name ? json_object_get(json_object_get(file, "contexts"), name) : NULL;
    if (!entry && name && (cli_flag(c, "context") || set_text(getenv("POLYVISOR_CONTEXT")))) {
        json_decref(file);
        pv_fail(err, PV_ENOENT, "there is no context \"%s\"", name);
        pv_err_remedy(err, "See polyvisor context list; polyvisor login makes one.");
        return PV_ENOENT;
    }
    if (entry)
        saved_url = json_string_value(json_object_get(entry, "url"));
    if (url) {
        url = context_url(c->arena, url);
        if (!url) {
            json_decref(file);
            return cli_usage(c, err, "the server's address must be like https://host:8443");
        }
    }
    /* A token goes nowhere but where it was made. */
    if (entry && saved_url && (!url || strcmp(url, saved_url) == 0)) {
        const char *token = json_string_value(json_object_get(entry, "token"));
        const char *pin = json_string_value(json_object_get(entry, "fingerprint"));
        const char *ca = json_string_value(json_object_get(entry, "ca_file"));

        c->context_name = arena_strdup(c->arena, name);
        c->url = arena_strdup(c->arena, saved_url);
        c->token = token ? arena_strdup(c->arena, token) : NULL;
        c->fingerprint = pin ? arena_strdup(c->arena, pin) : NULL;
        c->ca_file = ca ? arena_strdup(c->arena, ca) : NULL;
    } else {
        c->url = url ? url : CONTEXT_URL;
    }
    json_decref(file);
    if (set_text(getenv("POLYVISOR_TOKEN")))
        c->token = getenv("POLYVISOR_TOKEN");
    if (set_text(getenv("POLYVISOR_CA"))) {
        c->ca_file = getenv("POLYVISOR_CA");
        c->fingerprint = NULL;
    }
    if (set_text(getenv("POLYVISOR_FINGERPRINT")))
        c->fingerprint = getenv("POLYVISOR_FINGERPRINT");
    if (cli_flag(c, "ca")) {
        c->ca_file = cli_flag(c, "ca");
        c->fingerprint = NULL;
    }
    if (cli_flag(c, "fingerprint"))
        c->fingerprint = cli_flag(c, "fingerprint");
    return PV_OK;
}

/* ------------------------------------------------------------------ commands */

static json_t *shown(const char *name, const json_t *entry, bool current)
{
    return json_pack("{s:s, s:b, s:s?, s:b, s:s?, s:s?}", "name", name, "current", current, "url",
                     json_string_value(json_object_get(entry, "url")), "signed_in",
                     json_is_string(json_object_get(entry, "token")), "fingerprint",
                     json_string_value(json_object_get(entry, "fingerprint")), "user",
                     json_string_value(json_object_get(entry, "user")));
}

static int context_list(struct cli *c, struct pv_err *err)
{
    static const struct column columns[] = {
        { .path = "name", .title = "NAME" },
        { .path = "current", .title = "CURRENT", .type = MODEL_BOOL },
        { .path = "url", .title = "URL" },
        { .path = "user", .title = "USER" },
        { .path = "signed_in", .title = "SIGNED_IN", .type = MODEL_BOOL },
    };
    json_t *file, *entry, *answer;
    const char *name, *current;
    int rc = context_load(c, &file, err);

    if (rc != PV_OK)
        return rc;
    current = json_string_value(json_object_get(file, "current"));
    answer = json_pack("{s:[]}", "items");
    json_object_foreach(json_object_get(file, "contexts"), name, entry) json_array_append_new(
        json_object_get(answer, "items"), shown(name, entry, str_eq(name, current)));
    rc = output_items(c, answer, columns, PV_COUNT(columns), "name", err);
    json_decref(answer);
    json_decref(file);
    return rc;
}

static int no_context(struct pv_err *err, const char *name)
{
    pv_fail(err, PV_ENOENT, "there is no context \"%s\"", name ? name : "");
    pv_err_remedy(err, "See polyvisor context list; polyvisor login makes one.");
    return PV_ENOENT;
}

static int context_show(struct cli *c, struct pv_err *err)
{
    json_t *file, *entry, *answer = NULL;
    const char *name, *current;
    int rc = context_load(c, &file, err);

    if (rc != PV_OK)
        return rc;
    current = json_string_value(json_object_get(file, "current"));
    name = c->nargs ? c->args[0] : current;
    entry = name ? json_object_get(json_object_get(file, "contexts"), name) : NULL;
    if (entry) {
        answer = shown(name, entry, str_eq(name, current));
        rc = output_object(c, answer, NULL, err);
    } else {
        rc = no_context(err, name);
    }
    json_decref(answer);
    json_decref(file);
    return rc;
}

static int context_use(struct cli *c, struct pv_err *err)
{
    json_t *file;
    int rc = context_load(c, &file, err);

    if (rc != PV_OK)
        return rc;
    if (!json_object_get(json_object_get(file, "contexts"), c->args[0])) {
        rc = no_context(err, c->args[0]);
    } else {
        json_object_set_new(file, "current", json_string(c->args[0]));
        rc = context_save(c, file, err);
    }
    json_decref(file);
    return rc;
}

static int context_delete(struct cli *c, struct pv_err *err)
{
    json_t *file;
    int rc = context_load(c, &file, err);

    if (rc != PV_OK)
        return rc;
    if (json_object_del(json_object_get(file, "contexts"), c->args[0]) != 0) {
        rc = no_context(err, c->args[0]);
    } else {
        if (str_eq(json_string_value(json_object_get(file, "current")), c->args[0]))
            json_object_set_new(file, "current", json_null());
        rc = context_save(c, file, err);
        term_note(c,
                  "The context %s is forgotten. Its token still works; polyvisor logout ends one.",
                  c->args[0]);
    }
    json_decref(file);
    return rc;
}

const struct command context_commands[] = {
    { .words = "context list",
      .args = "",
      .doc = "List the servers you have signed in to.",
      .run = context_list },
    { .words = "context show",
      .args = "[NAME]",
      .doc = "Show one; without a name, the present one.",
      .run = context_show,
      .most = 1 },
    { .words = "context use",
      .args = "NAME",
      .doc = "Ask this server from now on.",
      .run = context_use,
      .least = 1,
      .most = 1 },
    { .words = "context delete",
      .args = "NAME",
      .doc = "Forget a server.",
      .run = context_delete,
      .least = 1,
      .most = 1 },
    { 0 },
};
