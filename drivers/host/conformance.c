/* SPDX-License-Identifier: Apache-2.0 */
/* --conformance: the suite of the SDK over one driver, for people who write drivers, and for the tests. */
#include "drivers/sdk/conformance.h"

#include <unistd.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "drivers/host/tools.h"

#define FILE_MAX (1u << 20)

int tool_conformance(const char *dir, const char *name, const char *config, const char *secrets)
{
    PV_AUTO_FREE char *settings = NULL;
    PV_AUTO_FREE char *secret_text = NULL;
    struct sdk_plugin plugin;
    struct sdk_conformance suite = { .plugin = &plugin, .out = stdout };
    struct pv_err err = { 0 };
    char folder[4096];
    size_t len;
    int rc;

    if (!tool_dir(dir, folder, sizeof(folder)))
        return 2;
    rc = sdk_load(folder, name, &plugin, &err);
    if (rc == PV_OK && config)
        rc = str_read_file(config, FILE_MAX, &settings, &len, &err);
    if (rc == PV_OK && secrets)
        rc = str_read_file(secrets, FILE_MAX, &secret_text, &len, &err);
    if (rc != PV_OK) {
        fprintf(stderr, "polyvisor-driverhost: %s\n%s\n", err.message, err.remedy);
        return 1;
    }
    suite.config = settings;
    suite.secrets = secret_text;
    return sdk_conformance_run(&suite) == 0 ? 0 : 1;
}
