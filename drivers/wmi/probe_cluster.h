/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe_cluster - the probe's look at a failover cluster.
 *
 * A host in a cluster gets one more finding, "cluster": {name, nodes: [{name,
 * state, this, endpoint, sha256, trusted}]}. Addresses are made of the nodes'
 * names and the port and path of the host that was asked; a certificate is
 * told where a node shows one there. Threads: one probe's.
 */
#pragma once

#include "drivers/sdk/finding.h"

struct call;
struct wmi;

void probe_cluster(struct findings *f, struct wmi *w, const struct call *c);
