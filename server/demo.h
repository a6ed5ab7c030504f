/* SPDX-License-Identifier: Apache-2.0 */
/*
 * demo - the simulated estate of --demo: 2 vCenters, 6 Hyper-V hosts, 500 VMs.
 */
#pragma once

struct core;
struct pv_err;

/* Adds the providers that are not there yet. */
int demo_add(struct core *core, struct pv_err *err);
