/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check - the receiver's side of a batch: trust nothing, then read comfortably.
 *
 * sdk_batch_check makes a private copy in which everything is as the model
 * says: every text lies inside, is NUL-terminated, valid UTF-8 and within its
 * field's maximum; every number is in range, every enum value known. What is
 * wrong with single values or records is left out and counted, what is wrong
 * with the structure refuses the batch.
 *
 * Ownership: the copy is owned by the caller (sdk_batch_free); texts answered
 * are borrowed from it. Threads: a checked batch is immutable.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <polyvisor/driver.h>
#include <polyvisor/model.h>

struct pv_err;

struct sdk_batch {
    const struct model_kind *kind;
    uint32_t count;         /* may be 0 */
    uint32_t stride;
    bool owned;             /* PV_BATCH_OWNED: the records of an owner stand together and are all it has */
    bool gone;              /* PV_BATCH_GONE: only native_id and owner count */
    uint64_t numbers[4];    /* private: slots that are no text */
    char *records;          /* private */
    char *blob;             /* private */
};

/* What was left out. by_slot: values, per field. first: the first of them in words, for the log. */
struct sdk_batch_faults {
    uint32_t records, values;
    uint32_t by_slot[PV_RECORD_SLOTS];
    char first[160];
};

/* PV_EFORMAT: refused, the driver is at fault. PV_ENOTSUP: a kind we do not know (a newer driver's) or that drivers
 * do not report: skip it. PV_ENOMEM. `faults` (may be NULL) is set in every case, to this batch alone. */
int sdk_batch_check(const struct pv_batch *in, struct sdk_batch_faults *faults,
                    struct sdk_batch **out, struct pv_err *err);
void sdk_batch_free(struct sdk_batch *b);

/* Record i < count. native_id is "" for the record that says "this owner has none". */
const char *sdk_record_native_id(const struct sdk_batch *b, uint32_t i);
const char *sdk_record_owner(const struct sdk_batch *b, uint32_t i);        /* "" if the kind has no owner */
const char *sdk_record_identity(const struct sdk_batch *b, uint32_t i);     /* "" if it has none */
bool sdk_record_shared(const struct sdk_batch *b, uint32_t i);              /* PV_RECORD_SHARED; it has an identity */

enum sdk_value {
    SDK_UNKNOWN,    /* not reported: stays as stored */
    SDK_NULL,       /* known to be empty */
    SDK_VALUE,
};
enum sdk_value sdk_record_has(const struct sdk_batch *b, uint32_t i, unsigned slot);
/* U64 BOOL ENUM TIME; 0 when it is not SDK_VALUE. */
int64_t sdk_record_number(const struct sdk_batch *b, uint32_t i, unsigned slot);
/* STR JSON LIST REF REFS; NULL when it is not SDK_VALUE. LIST and REFS: "\na\nb\n", or "" when empty. */
const char *sdk_record_text(const struct sdk_batch *b, uint32_t i, unsigned slot, size_t *len);

/* Walks a list text: `pos` starts as the text, items are not NUL-terminated; false at the end. */
bool sdk_list_next(const char **pos, const char **item, size_t *len);

/* Keyed hash of everything a record says (SipHash-1-3), by content: the same for the same values wherever they
 * stood in their batch. `key`: random, one per process. */
uint64_t sdk_record_hash(const struct sdk_batch *b, uint32_t i, const uint64_t key[2]);
/* The same hash over plain bytes, for maps keyed with native ids. */
uint64_t sdk_hash(const void *data, size_t len, const uint64_t key[2]);
