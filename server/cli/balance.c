/* SPDX-License-Identifier: Apache-2.0 */
/* polyvisor cluster balance: the moves that would even out a cluster. Advice; nothing is moved. */
#include <polyvisor/arena.h>
#include <polyvisor/err.h>

#include "server/cli/client.h"
#include "server/cli/output.h"

static const struct model_param balance_flags[] = {
    { .name = "threshold_pct",
      .type = PARAM_INT,
      .min = 1,
      .max = 100,
      .doc = "Hosts may be so far above the mean, in percent of their size; 10 unless given." },
    { 0 },
};

static const struct column move_columns[] = {
    { .path = "vm.name", .title = "VM" },
    { .path = "from.name", .title = "FROM" },
    { .path = "to.name", .title = "TO" },
    { .path = "reason", .title = "REASON" },
};

/* What a table does not show, for people. */
static void note(struct cli *c, const json_t *answer)
{
    const char *why = json_string_value(json_object_get(answer, "no_advice"));

    if (why)
        term_note(c, "No advice: %s.", why);
    else if (json_array_size(json_object_get(answer, "moves")) > 0)
        term_note(c, "Advice only: nothing was moved.");
    else if (json_is_true(json_object_get(answer, "balanced")))
        term_note(c, "No host is too far above the mean.");
    else
        term_note(c, "A host is too far above the mean, and no move helps.");
    if (json_is_true(json_object_get(answer, "by_itself")))
        term_note(c, "The hypervisor balances this cluster by itself.");
}

static int balance(struct cli *c, struct pv_err *err)
{
    const char *segment = object_segment(c, model_kind(PV_KIND_cluster), c->args[0], err);
    const char *threshold = cli_flag(c, "threshold_pct");
    json_t *answer = NULL, *list;
    int rc;

    if (!segment)
        return err->rc;
    rc = client_get(c,
                    arena_printf(c->arena, API "/clusters/%s/balance%s%s", segment,
                                 threshold ? "?threshold_pct=" : "", threshold ? threshold : ""),
                    &answer, err);
    if (rc != PV_OK)
        return rc;
    if (output_is_document(c)) {
        rc = output_object(c, answer, NULL, err);
    } else {
        list = json_pack("{s:O}", "items", json_object_get(answer, "moves"));
        rc = list ? output_items(c, list, move_columns, PV_COUNT(move_columns), "vm.name", err)
                  : pv_fail(err, PV_ENOMEM, "no memory for the answer");
        json_decref(list);
        note(c, answer);
    }
    json_decref(answer);
    return rc;
}

const struct command balance_commands[] = {
    { .words = "cluster balance",
      .args = "CLUSTER",
      .doc = "Say which moves would even out the load of its hosts; nothing is moved.",
      .flags = balance_flags,
      .run = balance,
      .least = 1,
      .most = 1 },
    { 0 },
};
