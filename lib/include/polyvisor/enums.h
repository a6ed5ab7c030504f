/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enums - what the model's lists mean as C constants: kinds, enums, slots, metrics.
 *
 * Expanded from the lists in lib/model; shared by the server and by drivers (part of
 * the SDK), hence C11, C++ and no includes. enum values begin with the one
 * for "cannot tell" (0).
 */
#ifndef POLYVISOR_ENUMS_H
#define POLYVISOR_ENUMS_H

#define FIELD(kind, slot, name, path, type, detail, flags, doc)
#define OWN(kind, name, path, type, detail, flags, doc)
#define ALIAS(kind, alias, path)
#define RETIRED(kind, slot)
#define END_KIND(kind)

/* enum pv_kind: PV_KIND_vm ... Numbers are for ever. */
enum pv_kind {
    PV_KIND_NONE = 0,
#define KIND(kind, number, plural, prefix, owner, member, flags, perm, doc) PV_KIND_##kind = number,
#include "model/kinds.def"
#undef KIND
    PV_KIND_NO_OWNER = 0,
    PV_KIND_MAX = 63 /* room for numbers; drivers know only kinds that were there when they were built */
};

/* PV_SLOT(vm, memory_bytes): the number of a field's slot in a record. */
#undef FIELD
#define KIND(kind, number, plural, prefix, owner, member, flags, perm, doc) enum pv_slots_##kind { PV_SLOT_##kind##_none_ = -1,
#define FIELD(kind, slot, name, path, type, detail, flags, doc) PV_SLOT_##kind##_##name = slot,
#undef END_KIND
#define END_KIND(kind) };
#include "model/kinds.def"
#undef KIND
#undef FIELD
#undef OWN
#undef ALIAS
#undef RETIRED
#undef END_KIND
#define PV_SLOT(kind, field) PV_SLOT_##kind##_##field

/* enum pv_power_state { PV_POWER_STATE_UNKNOWN ... }; PV_ENUM_power_state numbers the enums. */
#define ENUM(name) enum pv_##name {
#define VALUE(prefix, name, text) PV_##prefix##_##name,
#define END_ENUM(name) };
#include "model/enums.def"
#undef ENUM
#undef VALUE
#undef END_ENUM

enum pv_enum_id {
#define ENUM(name) PV_ENUM_##name,
#define VALUE(prefix, name, text)
#define END_ENUM(name)
#include "model/enums.def"
#undef ENUM
#undef VALUE
#undef END_ENUM
    PV_ENUM_COUNT
};

#define PV_USAGE_FIRST_METRIC 8
#define PV_RECORD_SLOTS 256 /* slots a record can have at most */

#endif
