/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cim_inner - what the files cim_*.c share and nobody else needs.
 */
#pragma once

#include "drivers/wmi/cim.h"

/* One element more, zeroed; NULL: no memory, or too many. */
struct cim_item *cim_value_add(struct cim_value *v, struct arena *a);
/* "uint16" ... as CIM-XML's TYPE says it. */
const char *cim_type_name(uint8_t type);
/* Makes a text of a hostile host fit for XML 1.0, in place: what no XML document may hold (control characters, also
 * as &#1;, broken UTF-8) becomes '?' or U+FFFD. Guests write what they like into KVP items, and one such character would
 * otherwise cost the whole answer. Yields the new length; never longer than before. */
size_t cim_clean(char *text, size_t len);
