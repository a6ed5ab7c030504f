/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault - what vSphere says went wrong, and which of our codes that is.
 *
 * One table maps vim25 fault types to enum pv_rc. The fault's type always
 * becomes the error's native_code, a missing privilege its `needs`. Messages
 * are made from the fault's type and fields; the server's own text is only
 * appended where it says more than the type's name.
 *
 * Ownership: plain values. Threads: any.
 */
#pragma once

#include <stdbool.h>

#include <libxml/tree.h>

struct pv_err;

struct fault {
    char type[64];       /* "InvalidPowerState"; "" means no fault */
    char text[256];      /* the server's own words */
    char object[160];    /* id of the object it names */
    char privilege[128]; /* NoPermission */
    char property[128];  /* InvalidProperty, InvalidArgument */
    char existing[24];   /* InvalidPowerState: the state it is in, "poweredOn" */
};

/* A soapenv:Fault element. */
void fault_read(const xmlNode *fault, struct fault *out);
/* A LocalizedMethodFault: <fault xsi:type="..."/> and <localizedMessage>. */
void fault_read_localized(const xmlNode *error, struct fault *out);
bool fault_is(const struct fault *f, const char *type);
/* Fills *err and yields the code. `what` names what was tried, "starting web01". */
int fault_fail(const struct fault *f, const char *what, struct pv_err *err);
/* The code of a fault type alone: PV_EIO for one that is not in the table. */
int fault_rc(const char *type);
