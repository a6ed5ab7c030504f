/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config - what polyvisord was told: by its file, then by its arguments, which win.
 *
 * Texts are owned by the struct. Threads: filled in before threads start, then read only.
 */
#pragma once

#include <stdbool.h>

#include <polyvisor/log.h>

struct pv_err;

struct config {
    char data[512];             /* folder of database, keys and certificate */
    char listen[128];
    char driver_dir[512];
    char web[512];              /* folder of the built browser page; "none"; "": web_default, if it is there */
    char web_default[512];
    char driver_host[512];      /* the program polyvisor-driverhost */
    char tls_cert[512], tls_key[512];   /* "": made in the data folder */
    char trusted_proxy[64];
    bool tls;                   /* false: plain HTTP, loopback or unix socket only */
    bool in_process;            /* drivers without processes of their own: tests */
    unsigned threads;           /* of HTTP; 0: by processors */
    int rate_per_s, rate_burst; /* of one caller; 0: no limit */
    enum log_level log_level;
    bool demo, check;
};

/* Defaults that depend on who and where we are. */
int config_defaults(struct config *c, struct pv_err *err);
/* `key = value` lines, # begins a comment. An unknown key names the line. */
int config_read_file(struct config *c, const char *path, struct pv_err *err);
/* One setting by name, as in the file. */
int config_set(struct config *c, const char *key, const char *value, struct pv_err *err);
/* What can be set, for --help. */
void config_print_keys(void);
