/* SPDX-License-Identifier: Apache-2.0 */
/* What drivers were compiled with stays true: tests/abi/golden_slots.txt may grow, never change. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/buf.h>
#include <polyvisor/driver.h>
#include <polyvisor/err.h>
#include <polyvisor/model.h>
#include <polyvisor/str.h>

#define GOLDEN PV_SOURCE_DIR "/tests/abi/golden_slots.txt"

static const char *const types[] = {
    [MODEL_STR] = "STR",   [MODEL_LIST] = "LIST", [MODEL_JSON] = "JSON",
    [MODEL_U64] = "U64",   [MODEL_BOOL] = "BOOL", [MODEL_ENUM] = "ENUM",
    [MODEL_TIME] = "TIME", [MODEL_REF] = "REF",   [MODEL_REFS] = "REFS",
};
static const char *const units[] = { [UNIT_NONE] = "",       [UNIT_COUNT] = " COUNT",
                                     [UNIT_BYTES] = " BYTES", [UNIT_MHZ] = " MHZ",
                                     [UNIT_PCT] = " PCT",     [UNIT_MS] = " MS",
                                     [UNIT_S] = " S" };

/* Slots that were given up: their golden line stays, and nobody may use them again. */
static const struct {
    unsigned kind;
    int slot;
} retired[] = {
#define KIND(k, number, plural, prefix, owner, member, flags, perm, doc)
#define FIELD(kind, slot, name, path, type, detail, flags, doc)
#define OWN(kind, name, path, type, detail, flags, doc)
#define ALIAS(kind, alias, path)
#define RETIRED(kind, slot) { PV_KIND_##kind, slot },
#define END_KIND(kind)
#include "model/kinds.def"
#undef KIND
#undef FIELD
#undef OWN
#undef ALIAS
#undef RETIRED
#undef END_KIND
    { 0, -1 },
};

/* What the model says today: one line a slot, one a value of an enum. */
static void print_model(struct buf *out)
{
    for (unsigned n = 1; n <= PV_KIND_MAX; n++) {
        const struct model_kind *k = model_kind((enum pv_kind)n);

        for (unsigned slot = 0; k && slot < PV_RECORD_SLOTS; slot++) {
            const struct model_field *f = model_field_by_slot(k, slot);

            if (!f)
                continue;
            buf_printf(out, "slot %u %s %u %s %s", n, k->name, slot, f->name, types[f->type]);
            if (f->type == MODEL_U64)
                buf_text(out, units[f->unit]);
            else if (f->type == MODEL_ENUM)
                buf_printf(out, " %s", model_enum_name(f->enum_id));
            else if (f->type == MODEL_REF || f->type == MODEL_REFS)
                buf_printf(out, " %s", model_kind(f->ref)->name);
            buf_char(out, '\n');
        }
    }
    for (unsigned e = 0; e < PV_ENUM_COUNT; e++)
        for (size_t v = 0; v < model_enum_count((enum pv_enum_id)e); v++)
            buf_printf(out, "enum %s %zu %s\n", model_enum_name((enum pv_enum_id)e), v,
                       model_enum_text((enum pv_enum_id)e, (int64_t)v));
}

static bool has_line(const char *text, const char *line, size_t len)
{
    for (const char *at = text; (at = strstr(at, "\n")) != NULL; at++)
        if (strncmp(at + 1, line, len) == 0 && (at[1 + len] == '\n' || at[1 + len] == '\0'))
            return true;
    return strncmp(text, line, len) == 0 && text[len] == '\n';
}

static bool is_retired(const char *line)
{
    unsigned kind;
    char name[64];
    int slot;

    if (sscanf(line, "slot %u %63s %d", &kind, name, &slot) != 3)
        return false;
    for (size_t i = 0; i < sizeof(retired) / sizeof(retired[0]); i++)
        if (retired[i].kind == kind && retired[i].slot == slot)
            return true;
    return false;
}

Test(slots, numbers_names_and_types_are_for_ever)
{
    struct pv_err err = { 0 };
    char *golden = NULL;
    size_t len;
    struct buf now;

    cr_assert_eq(str_read_file(GOLDEN, 1 << 20, &golden, &len, &err), PV_OK, "%s", err.message);
    buf_init(&now, 1 << 20);
    print_model(&now);
    cr_assert(buf_ok(&now));
    for (const char *line = golden; *line;) {
        size_t n = strcspn(line, "\n");

        if (n > 0 && *line != '#' && !has_line(now.data, line, n) && !is_retired(line))
            cr_expect(false, "was promised and is no more: %.*s", (int)n, line);
        line += n + (line[n] == '\n');
    }
    for (const char *line = now.data; *line;) {
        size_t n = strcspn(line, "\n");

        cr_expect(has_line(golden, line, n), "is new, append to tests/abi/golden_slots.txt: %.*s",
                  (int)n, line);
        line += n + (line[n] == '\n');
    }
    free(golden);
    buf_free(&now);
}

Test(slots, none_is_used_twice_or_again)
{
    for (size_t i = 0; (enum pv_kind)i <= PV_KIND_MAX; i++) {
        const struct model_kind *k = model_kind((enum pv_kind)i);
        bool used[PV_RECORD_SLOTS] = { false };

        for (size_t r = 0; k && r < sizeof(retired) / sizeof(retired[0]); r++)
            if (retired[r].kind == i && retired[r].slot >= 0)
                used[retired[r].slot] = true;
        for (size_t f = 0; k && f < k->nfields; f++) {
            int slot = k->fields[f].slot;

            if (slot < 0)
                continue;
            cr_assert_lt(slot, (int)PV_RECORD_SLOTS);
            cr_expect_not(used[slot], "%s slot %d", k->name, slot);
            used[slot] = true;
        }
    }
}

Test(layout, is_what_every_compiler_makes_of_it)
{
    /* Batches travel between compilers and machines: gcc, clang and mingw agree on these. */
    cr_expect_eq(sizeof(struct pv_record), 64);
    cr_expect_eq(offsetof(struct pv_record, native_id), 32);
    cr_expect_eq(offsetof(struct pv_record, owner), 40);
    cr_expect_eq(offsetof(struct pv_record, identity), 48);
    cr_expect_eq(offsetof(struct pv_record, flags), 56);
    cr_expect_eq(sizeof(pv_ref), 8);
    cr_expect_eq(sizeof(struct pv_batch), 40);
    cr_expect_eq(offsetof(struct pv_batch, blob), 32);
    cr_expect_eq(sizeof(struct pv_failure), 696);
    cr_expect_eq(offsetof(struct pv_failure, message), 216);
    cr_expect_eq(sizeof(struct pv_progress), 56);
    cr_expect_eq(sizeof(struct pv_host), 88);
    cr_expect_eq(sizeof(struct pv_driver), 96);
    cr_expect_eq(offsetof(struct pv_driver, probe), 40);
}
