/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rc - the result codes of the whole product.
 *
 * One line of lib/model/errors.def declares a code together with the problem
 * code and the HTTP status it becomes at the API; this header makes the enum
 * of it. Shared by the server and by drivers (it is part of the driver SDK),
 * hence no includes. Numbers are for ever.
 */
#ifndef POLYVISOR_RC_H
#define POLYVISOR_RC_H

enum pv_rc {
    PV_OK = 0,
#define RC(name, number, code, status, title, remedy) PV_##name = -(number),
#define PROBLEM(rc, code, status, title, remedy)
#include "model/errors.def"
#undef RC
#undef PROBLEM
};

#endif
