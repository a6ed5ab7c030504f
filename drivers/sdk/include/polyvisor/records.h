/* SPDX-License-Identifier: Apache-2.0 */
/*
 * records - how a driver fills records: one typed setter per field of the model.
 *
 *     pv_vm_begin(b, "vm-12", instance_uuid);
 *     pv_vm_name(b, "web01");
 *     pv_vm_memory_bytes(b, 4ull << 30);
 *     pv_vm_host(b, "host-9");                  a native id; the core makes it ours
 *     pv_disk_begin(b, "2000", NULL);           belongs to the VM that is open
 *     pv_disk_capacity_bytes(b, 40ull << 30);
 *     pv_nic_none(b);                           "has none", not "not asked"
 *     rc = pv_builder_room(b);                  after each object; sends full batches
 *
 * The builder copies text, replaces invalid UTF-8 and control bytes, cuts what
 * is longer than the model allows, keeps one buffer per kind and an owner's
 * children together. Send kinds in model order (kinds.def): referred-to first.
 * A setter without begin writes to a scratch row and is reported once.
 *
 * Threads: a builder belongs to one thread.
 */
#ifndef POLYVISOR_RECORDS_H
#define POLYVISOR_RECORDS_H

#include <polyvisor/driver.h>

struct pv_builder;

/* NULL: out of memory. `host` must outlive it. */
struct pv_builder *pv_builder_new(const struct pv_host *host);
void pv_builder_free(struct pv_builder *b);
/* Sends batches that are full (500 objects or 1 MiB). An enum pv_rc; the first failure sticks. */
int pv_builder_room(struct pv_builder *b);
/* Sends everything, kinds in model order. */
int pv_builder_send(struct pv_builder *b);
/* Sends everything, then the mark. */
int pv_builder_mark(struct pv_builder *b, enum pv_mark mark, const char *cursor);
/* The provider said that this object was removed. */
void pv_builder_gone(struct pv_builder *b, enum pv_kind kind, const char *native_id);
/* Open an owner without a record of its own, to send its children alone. */
void pv_builder_owner(struct pv_builder *b, enum pv_kind kind, const char *native_id);

/* What the setters expand to; not for direct use. */
void pv_put_begin(struct pv_builder *b, enum pv_kind kind, const char *native_id,
                  const char *identity);
/* The object that is open is reported by other providers, too (PV_RECORD_SHARED); it needs an identity. */
void pv_put_shared(struct pv_builder *b, enum pv_kind kind);
void pv_put_none(struct pv_builder *b, enum pv_kind kind);
void pv_put_number(struct pv_builder *b, enum pv_kind kind, unsigned slot, uint64_t v);
void pv_put_text(struct pv_builder *b, enum pv_kind kind, unsigned slot, const char *text);
void pv_put_list(struct pv_builder *b, enum pv_kind kind, unsigned slot, const char *const *items,
                 size_t count);
/* The field is known to be empty: PV_CLEAR(b, vm, host). */
#define PV_CLEAR(b, kind, field) pv_put_number((b), PV_KIND_##kind, PV_SLOT(kind, field), PV_NULL)

/* Text and references: NULL means "not known", the field stays as stored. */
#define PV_SET_STR(k, s, n, detail)                                                                \
    static inline void pv_##k##_##n(struct pv_builder *b, const char *v)                           \
    {                                                                                              \
        pv_put_text(b, PV_KIND_##k, s, v);                                                         \
    }
#define PV_SET_JSON(k, s, n, detail) PV_SET_STR(k, s, n, detail)
#define PV_SET_REF(k, s, n, detail) PV_SET_STR(k, s, n, detail)
#define PV_SET_LIST(k, s, n, detail)                                                               \
    static inline void pv_##k##_##n(struct pv_builder *b, const char *const *items, size_t count)  \
    {                                                                                              \
        pv_put_list(b, PV_KIND_##k, s, items, count);                                              \
    }
#define PV_SET_REFS(k, s, n, detail) PV_SET_LIST(k, s, n, detail)
#define PV_SET_U64(k, s, n, detail)                                                                \
    static inline void pv_##k##_##n(struct pv_builder *b, uint64_t v)                              \
    {                                                                                              \
        pv_put_number(b, PV_KIND_##k, s, v);                                                       \
    }
#define PV_SET_BOOL(k, s, n, detail)                                                               \
    static inline void pv_##k##_##n(struct pv_builder *b, int v)                                   \
    {                                                                                              \
        pv_put_number(b, PV_KIND_##k, s, v != 0);                                                  \
    }
#define PV_SET_TIME(k, s, n, detail)                                                               \
    static inline void pv_##k##_##n(struct pv_builder *b, int64_t ms)                              \
    {                                                                                              \
        pv_put_number(b, PV_KIND_##k, s, (uint64_t)ms);                                            \
    }
#define PV_SET_ENUM(k, s, n, detail)                                                               \
    static inline void pv_##k##_##n(struct pv_builder *b, enum pv_##detail v)                      \
    {                                                                                              \
        pv_put_number(b, PV_KIND_##k, s, (uint64_t)v);                                             \
    }

#define KIND(k, number, plural, prefix, owner, member, flags, perm, doc)                           \
    static inline void pv_##k##_begin(struct pv_builder *b, const char *native_id,                 \
                                      const char *identity)                                        \
    {                                                                                              \
        pv_put_begin(b, PV_KIND_##k, native_id, identity);                                         \
    }                                                                                              \
    static inline void pv_##k##_none(struct pv_builder *b)                                         \
    {                                                                                              \
        pv_put_none(b, PV_KIND_##k);                                                               \
    }
#define FIELD(kind, slot, name, path, type, detail, flags, doc) PV_SET_##type(kind, slot, name, detail)
#define OWN(kind, name, path, type, detail, flags, doc)
#define ALIAS(kind, alias, path)
#define RETIRED(kind, slot)
#define END_KIND(kind)
#include "model/kinds.def"
#undef KIND
#undef FIELD
#undef OWN
#undef ALIAS
#undef RETIRED
#undef END_KIND

#endif
