/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/balance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Less than half a percent is not worth a move. */
#define LEAST_GAIN 0.005
/* What differs by less is the same. */
#define ROUNDING 1e-9

/* ---------------------------------------------------------------- rules */

static bool among(const struct pv_id *ids, size_t n, const struct pv_id *id)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(ids[i].b, id->b, sizeof(id->b)) == 0)
            return true;
    return false;
}

bool rule_judged(const struct rule_look *r)
{
    return r->type == PV_RULE_TYPE_KEEP_TOGETHER || r->type == PV_RULE_TYPE_SEPARATE ||
           (r->type == PV_RULE_TYPE_VM_HOST && r->placement != PV_RULE_PLACEMENT_UNKNOWN && r->nhosts > 0);
}

/* How many of the rule's VMs are on the host. */
static size_t on_host(const struct rule_look *r, const struct pv_id *host)
{
    size_t n = 0;

    for (size_t i = 0; i < r->nvms; i++)
        n += memcmp(r->vms[i].host.b, host->b, sizeof(host->b)) == 0;
    return n;
}

/* Most of those that belong together: who is elsewhere is the one that is wrong. The first host of the list counts
 * where there is no majority. */
static bool is_elsewhere(const struct rule_look *r, size_t vm)
{
    size_t most = 0, home = 0;

    for (size_t i = 0; i < r->nvms; i++) {
        size_t n = on_host(r, &r->vms[i].host);

        if (n > most) {
            most = n;
            home = i;
        }
    }
    return memcmp(r->vms[vm].host.b, r->vms[home].host.b, sizeof(r->vms[home].host.b)) != 0;
}

bool rule_breaks(const struct rule_look *r, size_t vm)
{
    const struct pv_id *host = &r->vms[vm].host;

    if (!rule_judged(r))
        return false;
    if (r->type == PV_RULE_TYPE_SEPARATE)
        return on_host(r, host) > 1;
    if (r->type == PV_RULE_TYPE_KEEP_TOGETHER)
        return is_elsewhere(r, vm);
    return among(r->hosts, r->nhosts, host) != (r->placement == PV_RULE_PLACEMENT_ON_HOSTS);
}

/* ---------------------------------------------------------------- where everything is */

static const char *const why_words[] = {
    [BALANCE_FREE] = "free",         [BALANCE_NO_USAGE] = "no_usage", [BALANCE_PASSTHROUGH] = "passthrough",
    [BALANCE_STALE] = "stale",       [BALANCE_BUSY] = "busy",         [BALANCE_RULE] = "rule",
    [BALANCE_STORAGE] = "storage",   [BALANCE_NETWORK] = "network",   [BALANCE_NO_HOST] = "no_host",
    [BALANCE_NO_GAIN] = "no_gain",
};

const char *balance_why_text(enum balance_why why)
{
    return why_words[why];
}

struct state {
    const struct balance_in *in;
    size_t *at;                     /* host of each VM, now */
    bool *moved;                    /* VMs that are in the plan already */
    bool *stuck;                    /* hosts of which nothing helps any more */
    double *used[BALANCE_BOUNDS];   /* of each host, now */
    double mean[BALANCE_BOUNDS];    /* stays: what runs, runs on */
};

static void state_free(struct state *s)
{
    free(s->at);
    free(s->moved);
    free(s->stuck);
    for (int b = 0; b < BALANCE_BOUNDS; b++)
        free(s->used[b]);
}

static bool state_init(struct state *s, const struct balance_in *in)
{
    *s = (struct state){ .in = in, .at = calloc(in->nvms + 1, sizeof(*s->at)),
                         .moved = calloc(in->nvms + 1, sizeof(*s->moved)),
                         .stuck = calloc(in->nhosts + 1, sizeof(*s->stuck)) };
    for (int b = 0; b < BALANCE_BOUNDS; b++)
        s->used[b] = calloc(in->nhosts + 1, sizeof(double));
    if (!s->at || !s->moved || !s->stuck || !s->used[BALANCE_CPU] || !s->used[BALANCE_MEMORY])
        return false;
    for (size_t v = 0; v < in->nvms; v++)
        s->at[v] = in->vms[v].host;
    for (int b = 0; b < BALANCE_BOUNDS; b++) {
        double used = 0, capacity = 0;

        for (size_t h = 0; h < in->nhosts; h++) {
            s->used[b][h] = in->hosts[h].used[b];
            used += in->hosts[h].counts ? in->hosts[h].used[b] : 0;
            capacity += in->hosts[h].counts ? in->hosts[h].capacity[b] : 0;
        }
        s->mean[b] = capacity > 0 ? used / capacity : 0;
    }
    return true;
}

static double load_of(const struct state *s, size_t h, int b, double more)
{
    double capacity = s->in->hosts[h].capacity[b];

    return capacity > 0 ? (s->used[b][h] + more) / capacity : 0;
}

/* How far the host is above the mean, with so much more of a VM's use (sign: 1, 0, -1). */
static double excess(const struct state *s, size_t h, const struct balance_vm *vm, int sign, enum balance_bound *bound)
{
    double worst = -HUGE_VAL;

    for (int b = 0; b < BALANCE_BOUNDS; b++) {
        double e = load_of(s, h, b, vm ? sign * vm->used[b] : 0) - s->mean[b];

        if (e > worst) {
            worst = e;
            if (bound)
                *bound = (enum balance_bound)b;
        }
    }
    return worst;
}

static void measure(const struct state *s, struct balance_spread *out)
{
    memset(out, 0, sizeof(*out));
    for (int b = 0; b < BALANCE_BOUNDS; b++) {
        double sum = 0, squares = 0, least = HUGE_VAL, most = -HUGE_VAL;
        size_t n = 0;

        for (size_t h = 0; h < s->in->nhosts; h++) {
            double load = load_of(s, h, b, 0);

            if (!s->in->hosts[h].counts)
                continue;
            n++;
            sum += load;
            squares += load * load;
            least = fmin(least, load);
            most = fmax(most, load);
        }
        out->mean[b] = s->mean[b];
        if (n == 0)
            continue;
        out->range[b] = most - least;
        out->deviation[b] = sqrt(fmax(0, squares / (double)n - sum / (double)n * (sum / (double)n)));
    }
}

/* ---------------------------------------------------------------- what is allowed */

static bool is_in(const size_t *list, size_t n, size_t one)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == one)
            return true;
    return false;
}

static bool rule_allows(const struct state *s, const struct balance_rule *r, size_t vm, size_t to)
{
    if (!is_in(r->vms, r->nvms, vm))
        return true;
    switch (r->type) {
    case PV_RULE_TYPE_SEPARATE:
        for (size_t i = 0; i < r->nvms; i++)
            if (r->vms[i] != vm && s->at[r->vms[i]] == to)
                return false;
        return true;
    case PV_RULE_TYPE_KEEP_TOGETHER:
        for (size_t i = 0; i < r->nvms; i++)
            if (r->vms[i] != vm && s->at[r->vms[i]] != to)
                return false;
        return true;
    case PV_RULE_TYPE_VM_HOST:
        if (r->placement == PV_RULE_PLACEMENT_ON_HOSTS)
            return is_in(r->hosts, r->nhosts, to);
        return r->placement != PV_RULE_PLACEMENT_NOT_ON_HOSTS || !is_in(r->hosts, r->nhosts, to);
    default:
        return true;
    }
}

static enum balance_why may_go(const struct state *s, size_t vm, size_t to)
{
    const struct balance_vm *v = &s->in->vms[vm];

    if (!s->in->hosts[to].takes || !s->in->hosts[to].counts)
        return BALANCE_NO_HOST;
    for (size_t i = 0; i < s->in->nrules; i++)
        if (!rule_allows(s, &s->in->rules[i], vm, to))
            return BALANCE_RULE;
    return v->to ? v->to[to] : BALANCE_FREE;
}

/* ---------------------------------------------------------------- choosing */

struct choice {
    size_t vm, to;
    double worse, there; /* how far above the mean the worse of both hosts is after it, and the target */
    bool any;
};

/* Both hosts end below what the source was at: nothing is gained by a target that is as busy then. */
static void consider(const struct state *s, size_t vm, size_t from, size_t to, double now, struct choice *best)
{
    const struct balance_vm *v = &s->in->vms[vm];
    double there = excess(s, to, v, 1, NULL), here = excess(s, from, v, -1, NULL);
    double worse = fmax(there, here);

    if (worse > now - LEAST_GAIN ||
        (best->any && (worse > best->worse + ROUNDING ||
                       (worse > best->worse - ROUNDING && there > best->there - ROUNDING))))
        return;
    *best = (struct choice){ vm, to, worse, there, true };
}

static bool choose(const struct state *s, size_t from, struct choice *best)
{
    double now = excess(s, from, NULL, 0, NULL);

    *best = (struct choice){ .any = false };
    for (size_t v = 0; v < s->in->nvms; v++) {
        if (s->at[v] != from || s->moved[v] || s->in->vms[v].fixed != BALANCE_FREE)
            continue;
        for (size_t to = 0; to < s->in->nhosts; to++)
            if (to != from && may_go(s, v, to) == BALANCE_FREE)
                consider(s, v, from, to, now, best);
    }
    return best->any;
}

/* The one furthest above the mean, if it is too far; nhosts: none. */
static size_t busiest(const struct state *s)
{
    double worst = s->in->threshold + ROUNDING;
    size_t found = s->in->nhosts;

    for (size_t h = 0; h < s->in->nhosts; h++) {
        double e = s->in->hosts[h].counts && !s->stuck[h] ? excess(s, h, NULL, 0, NULL) : -1;

        if (e > worst) {
            worst = e;
            found = h;
        }
    }
    return found;
}

static void take(struct state *s, size_t from, const struct choice *c, struct balance_out *out)
{
    struct balance_move *m = &out->moves[out->nmoves++];

    *m = (struct balance_move){ .vm = c->vm, .from = from, .to = c->to };
    (void)excess(s, from, NULL, 0, &m->bound);
    m->load = load_of(s, from, (int)m->bound, 0);
    m->mean = s->mean[m->bound];
    for (int b = 0; b < BALANCE_BOUNDS; b++) {
        s->used[b][from] -= s->in->vms[c->vm].used[b];
        s->used[b][c->to] += s->in->vms[c->vm].used[b];
    }
    s->at[c->vm] = c->to;
    s->moved[c->vm] = true;
    measure(s, &m->after);
}

/* Why a VM of a busy host is not in the plan: one reason for all hosts, or none of them. */
static enum balance_why why_not(const struct state *s, size_t vm)
{
    enum balance_why why = BALANCE_FREE;

    if (s->in->vms[vm].fixed != BALANCE_FREE)
        return s->in->vms[vm].fixed;
    for (size_t to = 0; to < s->in->nhosts; to++) {
        enum balance_why here = to == s->at[vm] ? BALANCE_NO_HOST : may_go(s, vm, to);

        if (here == BALANCE_FREE)
            return BALANCE_NO_GAIN;
        if (here == BALANCE_NO_HOST)
            continue;
        why = why == BALANCE_FREE || why == here ? here : BALANCE_NO_HOST;
    }
    return why == BALANCE_FREE ? BALANCE_NO_HOST : why;
}

static void finish(struct state *s, const bool *above, struct balance_out *out)
{
    measure(s, &out->after);
    memset(s->stuck, 0, s->in->nhosts * sizeof(*s->stuck));
    out->balanced = busiest(s) == s->in->nhosts;
    for (int b = 0; b < BALANCE_BOUNDS; b++)
        if (out->used_after[b] && s->in->nhosts)
            memcpy(out->used_after[b], s->used[b], s->in->nhosts * sizeof(double));
    for (size_t v = 0; out->left_out && v < s->in->nvms; v++)
        out->left_out[v] = above[s->in->vms[v].host] && !s->moved[v] ? why_not(s, v) : BALANCE_FREE;
}

bool balance_plan(const struct balance_in *in, struct balance_out *out)
{
    bool *above = calloc(in->nhosts + 1, sizeof(*above));
    struct choice c;
    struct state s;
    size_t from;
    bool ok = state_init(&s, in) && above;

    out->nmoves = 0;
    if (ok) {
        measure(&s, &out->now);
        for (size_t h = 0; h < in->nhosts; h++)
            above[h] = in->hosts[h].counts && excess(&s, h, NULL, 0, NULL) > in->threshold + ROUNDING;
        while (out->nmoves < BALANCE_MOVES_MAX && (from = busiest(&s)) < in->nhosts) {
            if (choose(&s, from, &c))
                take(&s, from, &c, out);
            else
                s.stuck[from] = true;
        }
        finish(&s, above, out);
    }
    state_free(&s);
    free(above);
    return ok;
}
