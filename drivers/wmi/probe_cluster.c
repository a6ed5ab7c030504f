/* SPDX-License-Identifier: Apache-2.0 */
/* Of a node of a failover cluster: which cluster, and the other nodes, with the address each of them should have. */
#include <stdio.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "drivers/wmi/inventory_sight.h"
#include "drivers/wmi/map.h"
#include "drivers/wmi/probe_cluster.h"
#include "drivers/wmi/wmi.h"

#define NODES_MOST 64u
#define CERTIFICATE_MS 2000
#define CERTIFICATES_MOST 16u /* each that is not there takes its time */

/* https://hv2.corp.example:5986/wsman, as the first was given. */
static void put_address(struct jsonw *w, const struct endpoint *e, const char *host, bool look)
{
    const char *path = strchr(e->url + strlen(e->origin), '/');
    struct httpc_certificate cert = { 0 };

    jsonw_strf(w, "endpoint", "%s://%s:%u%s", e->plain ? "http" : "https", host, e->port,
               path ? path : "");
    if (e->plain || !look || httpc_certificate(host, e->port, CERTIFICATE_MS, &cert, NULL) != PV_OK)
        return;
    jsonw_str(w, "sha256", cert.sha256);
    jsonw_bool(w, "trusted", cert.trusted);
}

static void put_nodes(struct findings *f, const struct endpoint *e, const struct cim_list *nodes,
                      const char *own, const char *fqdn)
{
    const char *domain = fqdn ? strchr(fqdn, '.') : NULL;
    size_t n = 0;

    jsonw_array(&f->w, "nodes");
    for (size_t i = 0; i < nodes->count && n < NODES_MOST; i++) {
        const char *name = cim_str(nodes->items[i], P(MSCluster_Node, Name));
        uint64_t state = UINT64_MAX;
        char host[600];

        if (!name || !*name)
            continue;
        n++;
        (void)cim_get_uint(nodes->items[i], P(MSCluster_Node, State), &state);
        (void)snprintf(host, sizeof(host), "%.250s%.250s", name, domain ? domain : "");
        for (char *p = host; *p; p++)
            *p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
        jsonw_object(&f->w, NULL);
        jsonw_str(&f->w, "name", name);
        jsonw_str(&f->w, "state", map_node_state(state));
        jsonw_bool(&f->w, "this", sight_same(name, own));
        if (!sight_same(name, own))
            put_address(&f->w, e, host,
                        n <= CERTIFICATES_MOST && !call_cancelled((void *)(uintptr_t)f->call));
        jsonw_end(&f->w);
    }
    jsonw_end(&f->w);
}

void probe_cluster(struct findings *f, struct wmi *w, const struct call *c)
{
    struct wsman_query cluster = { .cls = CIM(MSCluster_Cluster) };
    struct wsman_query node = { .cls = CIM(MSCluster_Node) };
    struct wsman_query box = { .cls = CIM(Win32_ComputerSystem) };
    struct arena *a = arena_new(16384, 16u << 20);
    struct cim_instance *o = NULL, *self = NULL;
    struct cim_list nodes = { 0 };
    struct pv_err err = { 0 };
    const char *name, *own;
    char detail[400];

    /* No namespace, no cluster: nothing to tell. */
    if (!a || wsman_first(w->client, c, &cluster, a, &o, &err) != PV_OK ||
        !cim_is(o, CIM(MSCluster_Cluster)) ||
        wsman_list(w->client, c, &node, a, &nodes, &err) != PV_OK || nodes.count == 0) {
        arena_free(a);
        return;
    }
    (void)wsman_first(w->client, c, &box, a, &self, &err);
    own = cim_str(self, P(Win32_ComputerSystem, Name));
    name = cim_str(o, P(MSCluster_Cluster, Name));
    (void)snprintf(detail, sizeof(detail),
                   "a node of the failover cluster %.200s, which has %zu; they can be added together",
                   name ? name : "?", nodes.count);
    finding_begin(f, "cluster", true, detail);
    jsonw_object(&f->w, "data");
    jsonw_str(&f->w, "name", name ? name : "");
    put_nodes(f, &w->config.at, &nodes, own, cim_str(o, P(MSCluster_Cluster, Fqdn)));
    jsonw_end(&f->w);
    jsonw_end(&f->w);
    arena_free(a);
}
