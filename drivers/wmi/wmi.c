/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/wmi/wmi.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <polyvisor/err.h>

int wmi_new(const struct pv_host *host, const char *config, struct wmi **out, struct pv_err *err)
{
    struct wmi *w = calloc(1, sizeof(*w));
    int rc;

    if (!w)
        return pv_fail(err, PV_ENOMEM, "no memory");
    w->host = host;
    pthread_mutex_init(&w->order, NULL);
    pthread_mutex_init(&w->importing, NULL);
    pthread_mutex_init(&w->lock, NULL);
    rc = config_parse(config, &w->config, err);
    if (rc == PV_OK)
        rc = wsman_new(host, &w->config, &w->client, err);
    if (rc) {
        wmi_free(w);
        return rc;
    }
    if (w->config.allow_unencrypted)
        wmi_log(w, PV_LOG_LEVEL_WARN,
                "%s: the connection is not encrypted; whoever is on the way reads and changes it",
                w->config.at.host);
    *out = w;
    return PV_OK;
}

void wmi_free(struct wmi *w)
{
    if (!w)
        return;
    inventory_free(w->inventory);
    operations_free(w->operations);
    wsman_free(w->client);
    config_free(&w->config);
    pthread_mutex_destroy(&w->lock);
    pthread_mutex_destroy(&w->order);
    pthread_mutex_destroy(&w->importing);
    free(w);
}

void wmi_log(const struct wmi *w, int level, const char *fmt, ...)
{
    char line[768];
    va_list ap;
    int n;

    if (!w->host->log)
        return;
    va_start(ap, fmt);
    n = vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    if (n >= 0)
        w->host->log(w->host->ctx, level, line);
}
