/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits - what a batch may hold; the builder keeps to it, the check enforces it.
 *
 * Constants only. What the model says about single fields (longest text, most
 * items) comes from the model.
 */
#pragma once

#define SDK_NATIVE_ID_MAX 512u      /* bytes of a native id, a reference, an owner */
#define SDK_IDENTITY_MAX 256u       /* bytes of an identity */
#define SDK_ITEM_MAX 1024u          /* bytes of one item of a list */
#define SDK_REFS_MAX 4096u          /* references in one field */
#define SDK_JSON_DEPTH 8u           /* nesting of JSON in a field */
#define SDK_NUMBER_MAX (1ull << 53) /* numbers must survive JSON readers that use doubles */
/* Years 1 to 9999, as RFC 3339 can write them. */
#define SDK_TIME_MIN (-62135596800000ll)
#define SDK_TIME_MAX 253402300799999ll
#define SDK_SLOTS 256u
/* Entries of one folder that a driver lists; more is PV_ELIMIT. */
#define SDK_FILES_MAX 5000
