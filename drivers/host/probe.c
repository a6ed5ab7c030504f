/* SPDX-License-Identifier: Apache-2.0 */
/* --probe: a driver's own view of a provider, for people. */
#include "drivers/host/tools.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>
#include <openssl/crypto.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/str.h>

#include "drivers/sdk/fail.h"
#include "drivers/sdk/load.h"

#define FILE_MAX (1u << 20)

PV_DEFINE_AUTO(json_decref, json_t *)

struct look {
    json_t *secrets;
};

int tool_dir(const char *dir, char *out, size_t cap)
{
    char self[2048];
    ssize_t n;
    char *slash;

    if (dir)
        return str_copy(out, cap, dir);
    n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n <= 0)
        return 0;
    self[n] = '\0';
    slash = strrchr(self, '/');
    *slash = '\0';
    return snprintf(out, cap, "%s/../lib/polyvisor/drivers", self) < (int)cap;
}

static void print_line(void *ctx, int level, const char *message)
{
    (void)ctx;
    (void)level;
    fprintf(stderr, "%s\n", message);
}

static int find_secret(void *ctx, const char *name, char *buf, size_t cap)
{
    const struct look *l = ctx;
    const char *value = json_string_value(json_object_get(l->secrets, name));

    if (!value)
        return PV_ENOENT;
    return str_copy(buf, cap, value) ? PV_OK : PV_EINVAL;
}

static int never_cancelled(void *ctx, uint64_t call)
{
    (void)ctx;
    (void)call;
    return 0;
}

/* The configuration with the wish for a report in it; owned. */
static int add_wish(char **settings, const struct tool_report *wanted, struct pv_err *err)
{
    PV_AUTO(json_decref_p) json_t *config = json_loads(*settings, 0, NULL);
    json_t *wish = config ? json_pack("{s:b, s:i}", "mask", wanted->mask, "samples", wanted->samples)
                          : NULL;
    char *text = NULL;

    if (!json_is_object(config))
        return pv_fail(err, PV_EINVAL, "The configuration is not a JSON object.");
    if (json_object_set_new(config, "report", wish) == 0)
        text = json_dumps(config, JSON_COMPACT);
    if (!text)
        return pv_fail(err, PV_ENOMEM, "There is no memory for the configuration.");
    free(*settings);
    *settings = text;
    return PV_OK;
}

/* It tells a lot about somebody's machines: for its owner's eyes. */
static int save_report(const json_t *data, const char *path, struct pv_err *err)
{
    PV_AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0)
        return pv_fail_os(err, errno, "Cannot write %s", path);
    if (json_dumpfd(data, fd, JSON_INDENT(1)) != 0 || write(fd, "\n", 1) != 1)
        return pv_fail(err, PV_EIO, "Cannot write all of %s.", path);
    return PV_OK;
}

/* One line a finding. Yields how many were bad; -1: it is no report. */
static int print_report(const char *text, const struct tool_report *wanted)
{
    PV_AUTO(json_decref_p) json_t *report = json_loads(text, 0, NULL);
    json_t *finding;
    bool saved = false;
    size_t i;
    int bad = 0;

    if (!json_is_array(report))
        return -1;
    json_array_foreach (report, i, finding) {
        const char *step = json_string_value(json_object_get(finding, "step"));
        const char *detail = json_string_value(json_object_get(finding, "detail"));
        const char *remedy = json_string_value(json_object_get(finding, "remedy"));
        bool ok = json_is_true(json_object_get(finding, "ok"));
        const json_t *data = json_object_get(finding, "data");
        const char *script = json_string_value(json_object_get(data, "script"));

        if (wanted && step && strcmp(step, "report") == 0) {
            struct pv_err err = { 0 };

            saved = save_report(data, wanted->path, &err) == PV_OK;
            if (!saved)
                fprintf(stderr, "polyvisor-driverhost: %s\n", err.message);
        }
        printf("%s  %s: %s\n", ok ? "ok    " : "FAILED", step ? step : "?", detail ? detail : "");
        if (!ok && remedy)
            printf("        %s\n", remedy);
        if (!ok && script)
            printf("\n%s\n", script);
        bad += !ok;
    }
    if (wanted && !saved) {
        fprintf(stderr, "polyvisor-driverhost: no report was written\n");
        bad++;
    }
    return bad;
}

int tool_probe(const char *dir, const char *name, const char *config, const char *secrets,
               const struct tool_report *wanted)
{
    struct look look = { 0 };
    struct pv_host host = { .size = sizeof(host), .ctx = &look, .log = print_line,
                            .secret = find_secret, .cancelled = never_cancelled };
    PV_AUTO_FREE char *settings = NULL;
    PV_AUTO_FREE char *secret_text = NULL;
    PV_AUTO(json_decref_p) json_t *parsed = NULL;
    struct pv_failure fail = { .size = sizeof(fail) };
    struct sdk_plugin plugin;
    struct pv_err err = { 0 };
    char folder[4096], *report = NULL;
    size_t len = 0;
    int rc, bad;

    if (!tool_dir(dir, folder, sizeof(folder)))
        return 2;
    rc = sdk_load(folder, name, &plugin, &err);
    if (rc == PV_OK)
        rc = str_read_file(config, FILE_MAX, &settings, &len, &err);
    if (rc == PV_OK && wanted)
        rc = add_wish(&settings, wanted, &err);
    if (rc == PV_OK && secrets) {
        rc = str_read_file(secrets, FILE_MAX, &secret_text, &len, &err);
        if (rc == PV_OK) {
            parsed = json_loads(secret_text, 0, NULL);
            OPENSSL_cleanse(secret_text, len);
            look.secrets = parsed;
        }
    }
    if (rc == PV_OK && !plugin.driver.probe)
        rc = pv_fail(&err, PV_ENOTSUP, "The driver %s cannot probe.", name);
    if (rc == PV_OK) {
        rc = plugin.driver.probe(&host, settings, 1, &report, &fail);
        if (rc != PV_OK) {
            fail.code = rc;
            sdk_fail_err(&fail, &err);
        }
    }
    if (rc != PV_OK) {
        fprintf(stderr, "polyvisor-driverhost: %s\n%s\n", err.message, err.remedy);
        return 1;
    }
    bad = report ? print_report(report, wanted) : -1;
    if (report && plugin.driver.free_text)
        plugin.driver.free_text(report);
    if (bad < 0)
        fprintf(stderr, "polyvisor-driverhost: the driver's report is not readable\n");
    return bad == 0 ? 0 : 1;
}
