/* SPDX-License-Identifier: Apache-2.0 */
/* polyvisor-driverhost: runs one driver in a process of its own, away from the server and its data. */
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>
#include <libxml/parser.h>
#include <openssl/crypto.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/httpc.h>
#include <polyvisor/log.h>
#include <polyvisor/str.h>

#include "drivers/host/sandbox.h"
#include "drivers/host/tools.h"
#include "drivers/sdk/load.h"
#include "drivers/sdk/runner.h"

#define DRAIN_MS 2500u

static const char help[] =
    "Usage: polyvisor-driverhost --driver NAME --dir DIR --fd N [--parent PID] [--describe]\n"
    "       polyvisor-driverhost --probe NAME --config FILE [--secrets FILE] [--dir DIR]\n"
    "                            [--report FILE [--mask] [--samples N]]\n"
    "       polyvisor-driverhost --conformance NAME [--config FILE] [--secrets FILE] [--dir DIR]\n"
    "\n"
    "Runs one Polyvisor driver in a process of its own. The server starts it with --driver;\n"
    "the other forms are for people who look for a fault or write a driver.\n"
    "\n"
    "  --driver NAME       serve this driver over a connection the server has made\n"
    "  --fd N              descriptor of that connection\n"
    "  --parent PID        end at once if this is not the parent process\n"
    "  --describe          only say what the driver is\n"
    "  --probe NAME        look whether this driver gets along with a provider\n"
    "  --report FILE       with --probe: also write what the driver reads of the provider, as\n"
    "                      JSON, for those who write drivers (only some drivers can)\n"
    "  --mask              put pseudonyms for names and addresses into the report\n"
    "  --samples N         objects of each class in the report (default 3)\n"
    "  --conformance NAME  check that a driver keeps the rules; prints TAP\n"
    "  --config FILE       the provider: JSON {name, endpoint, username, settings, tls}\n"
    "  --secrets FILE      its secrets: JSON {\"password\": \"...\"}\n"
    "  --dir DIR           folder of the drivers (default: ../lib/polyvisor/drivers\n"
    "                      seen from this program)\n"
    "  --help, --version\n";

struct options {
    const char *driver, *dir, *probe, *conformance, *config, *secrets, *report;
    int fd, parent, samples;
    bool describe, mask;
};

/* Secrets pass through the JSON parser: nothing it frees keeps its content. */
static void wiping_free(void *p)
{
    if (p)
        OPENSSL_cleanse(p, malloc_usable_size(p));
    free(p);
}

static bool number(const char *text, int *out)
{
    uint64_t v;

    if (!str_u64(text, strlen(text), 1u << 30, &v))
        return false;
    *out = (int)v;
    return true;
}

/* 0: go on; else the exit code + 1. */
static int read_options(int argc, char **argv, struct options *o)
{
    static const struct option options[] = {
        { "driver", required_argument, NULL, 'd' }, { "dir", required_argument, NULL, 'D' },
        { "fd", required_argument, NULL, 'f' },     { "parent", required_argument, NULL, 'P' },
        { "describe", no_argument, NULL, 'i' },     { "probe", required_argument, NULL, 'p' },
        { "conformance", required_argument, NULL, 'c' },
        { "config", required_argument, NULL, 'C' }, { "secrets", required_argument, NULL, 's' },
        { "report", required_argument, NULL, 'r' }, { "mask", no_argument, NULL, 'm' },
        { "samples", required_argument, NULL, 'n' },
        { "help", no_argument, NULL, 'h' },         { "version", no_argument, NULL, 'v' },
        { NULL, 0, NULL, 0 },
    };
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'd': o->driver = optarg; break;
        case 'D': o->dir = optarg; break;
        case 'p': o->probe = optarg; break;
        case 'c': o->conformance = optarg; break;
        case 'C': o->config = optarg; break;
        case 's': o->secrets = optarg; break;
        case 'r': o->report = optarg; break;
        case 'm': o->mask = true; break;
        case 'i': o->describe = true; break;
        case 'f':
        case 'n':
        case 'P':
            if (!number(optarg, c == 'f' ? &o->fd : c == 'n' ? &o->samples : &o->parent)) {
                fprintf(stderr, "polyvisor-driverhost: %s is not a number\n", optarg);
                return 3;
            }
            break;
        case 'h':
            fputs(help, stdout);
            return 1;
        case 'v':
            puts("polyvisor-driverhost " PV_VERSION);
            return 1;
        default:
            fputs(help, stderr);
            return 3;
        }
    }
    if (optind < argc || !!o->driver + !!o->probe + !!o->conformance != 1 ||
        (o->driver && (o->fd < 0 || !o->dir)) || (o->probe && !o->config) ||
        (o->report && !o->probe) || ((o->mask || o->samples) && !o->report)) {
        fputs(help, stderr);
        return 3;
    }
    return 0;
}

/* Once per process, before threads and drivers. */
static int init_libraries(struct pv_err *err)
{
    int rc = httpc_global_init(err);

    if (rc == PV_OK)
        xmlInitParser();
    return rc;
}

/* The same for every way to use a driver: what works in --probe works in the server. */
static int prepare(const struct options *o, struct pv_err *err)
{
    int rc = sandbox_limits(o->parent, err);

    if (rc == PV_OK)
        rc = init_libraries(err);
    if (rc == PV_OK)
        rc = sandbox_calls(err);
    return rc;
}

static int serve(const struct options *o, struct pv_err *err)
{
    struct sdk_plugin plugin;
    int rc = prepare(o, err);

    if (rc != PV_OK)
        return rc;
    rc = sdk_load(o->dir, o->driver, &plugin, err);
    if (rc != PV_OK) {
        sdk_runner_broken(o->fd, err);
        return rc;
    }
    if (o->describe)
        return sdk_runner_hello(&plugin, o->fd, err);
    return sdk_runner_serve(&plugin, o->fd, DRAIN_MS, err);
}

int main(int argc, char **argv)
{
    struct options o = { .fd = -1 };
    struct pv_err err = { 0 };
    int rc = read_options(argc, argv, &o);

    if (rc != 0)
        return rc - 1;
    signal(SIGPIPE, SIG_IGN);
    json_set_alloc_funcs(malloc, wiping_free);
    log_open("polyvisor-driverhost", PV_LOG_INFO);
    if (o.driver) {
        rc = serve(&o, &err);
        /* The server reports it; what is still running must not hold up the end. */
        if (rc == PV_EBUSY)
            _exit(4);
        return rc == PV_OK ? 0 : 1;
    }
    rc = prepare(&o, &err);
    if (rc != PV_OK) {
        fprintf(stderr, "polyvisor-driverhost: %s\n", err.message);
        return 1;
    }
    if (o.probe) {
        const struct tool_report report = { o.report, o.mask, o.samples };

        return tool_probe(o.dir, o.probe, o.config, o.secrets, o.report ? &report : NULL);
    }
    return tool_conformance(o.dir, o.conformance, o.config, o.secrets);
}
