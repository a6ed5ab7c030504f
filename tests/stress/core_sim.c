/* SPDX-License-Identifier: Apache-2.0 */
/* Three simulated providers that keep changing while threads run tasks, bulk tasks, cancels and syncs, wait, edit own
 * fields, subscribe, and make and delete providers; then a restart in the middle. For ThreadSanitizer.
 * Exit code 0: every task came to an end and event numbers have no gap. */
#include <stdatomic.h>

#include <jansson.h>
#include <polyvisor/arena.h>
#include <polyvisor/clock.h>
#include <polyvisor/model.h>

#include "db/store.h"
#include "server/core/core.h"
#include "tests/unit/link_recorder.h"
#include "tests/support/remove_tree.h"

#define PROVIDERS 3
#define THREADS 4
#define ROUNDS 25

struct stress {
    struct store *store;
    struct drivers *drivers;
    struct core *core;
    struct pv_id providers[PROVIDERS];
    pthread_mutex_t lock;
    uint64_t last_seq;          /* guarded by lock */
    atomic_uint faults, answers, waits;
    atomic_bool ending;
};

static const struct core_actor someone = { .type = PV_ACTOR_TYPE_USER, .name = "stress" };

static void expect(struct stress *x, bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "stress: %s\n", what);
    atomic_fetch_add(&x->faults, 1);
}

static void on_event(void *ctx, const struct core_event *e)
{
    struct stress *x = ctx;

    pthread_mutex_lock(&x->lock);
    expect(x, x->last_seq == 0 || e->seq == x->last_seq + 1, "event numbers have a gap");
    x->last_seq = e->seq;
    pthread_mutex_unlock(&x->lock);
}

static void on_other_event(void *ctx, const struct core_event *e)
{
    atomic_fetch_add((atomic_uint *)ctx, e->seq > 0);
}

static void on_wait(void *ctx, bool final)
{
    struct stress *x = ctx;

    expect(x, final || atomic_load(&x->ending), "a task does not end");
    atomic_fetch_add(&x->answers, 1);
}

static void on_json(void *ctx, int rc, const char *json, const struct pv_err *err)
{
    (void)rc;
    (void)json;
    (void)err;
    atomic_fetch_add(&((struct stress *)ctx)->answers, 1);
}

static size_t some_vms(struct stress *x, enum pv_power_state power, struct arena *a, struct pv_id **ids)
{
    struct model_value v = { .set = true, .number = power };
    size_t n = 0;

    if (store_find(x->store, PV_KIND_vm, F(vm, power_state), &v, 200, a, ids, &n, NULL) != PV_OK)
        return 0;
    return n;
}

static void wait_for_task(struct stress *x, const struct pv_id *task)
{
    atomic_fetch_add(&x->waits, 1);
    if (core_task_wait(x->core, task, 60000, on_wait, x, NULL) != PV_OK)
        atomic_fetch_sub(&x->waits, 1);
}

static void one_task(struct stress *x, unsigned n, struct arena *a)
{
    static const char *const operations[] = { "vm.stop", "vm.start", "vm.reset", "vm.suspend" };
    static const enum pv_power_state from[] = { PV_POWER_STATE_RUNNING, PV_POWER_STATE_OFF, PV_POWER_STATE_RUNNING,
                                                PV_POWER_STATE_RUNNING };
    struct core_task_request q = { .operation = model_operation(operations[n % 4]), .kind = PV_KIND_vm };
    struct core_options o = { .dry_run = n % 7 == 0 };
    struct pv_id *ids, task;
    size_t count = some_vms(x, from[n % 4], a, &ids);

    if (count == 0)
        return;
    q.subject = ids[n * 7 % count];
    if (o.dry_run)
        atomic_fetch_add(&x->waits, 1);
    if (core_task_submit(x->core, &someone, &q, &o, &task, on_json, x, NULL) != PV_OK) {
        if (o.dry_run)
            atomic_fetch_sub(&x->waits, 1);
        return;
    }
    if (o.dry_run)
        return;
    if (n % 5 == 0)
        core_task_cancel(x->core, &someone, &task, NULL);
    wait_for_task(x, &task);
}

static void one_bulk(struct stress *x, unsigned n, struct arena *a)
{
    struct core_bulk_request b = { .operation = model_operation(n % 2 ? "vm.stop" : "vm.start"), .expected_count = -1,
                                   .stop_on_error = n % 3 == 0 };
    struct pv_id *ids, task;

    b.ntargets = some_vms(x, n % 2 ? PV_POWER_STATE_RUNNING : PV_POWER_STATE_OFF, a, &ids);
    b.targets = ids;
    if (b.ntargets > 30)
        b.ntargets = 30;
    if (b.ntargets == 0 || core_bulk_submit(x->core, &someone, &b, NULL, &task, NULL, NULL, NULL) != PV_OK)
        return;
    if (n % 4 == 0)
        core_task_cancel(x->core, &someone, &task, NULL);
    wait_for_task(x, &task);
}

static void own_fields(struct stress *x, unsigned n, struct arena *a)
{
    json_t *patch = json_pack("{s:[s], s:s}", "tags", n % 2 ? "env=prod" : "env=test", "notes", n % 3 ? "a" : "b");
    struct pv_id *ids;
    bool changed;

    if (some_vms(x, PV_POWER_STATE_RUNNING, a, &ids) > 0)
        core_object_patch(x->core, &someone, PV_KIND_vm, &ids[0], patch, NULL, &changed, NULL);
    json_decref(patch);
}

static void look_around(struct stress *x, struct arena *a)
{
    struct core_provider_health *health;
    struct core_subscription *sub;
    struct core_stats stats;
    atomic_uint seen = 0;
    uint64_t values[64];
    struct pv_id *ids;
    bool have[64];
    int64_t at;
    size_t n;

    core_get_stats(x->core, &stats);
    core_providers_health(x->core, a, &health, &n, NULL);
    core_provider_ref(x->core, &x->providers[0], a);
    if (some_vms(x, PV_POWER_STATE_RUNNING, a, &ids) > 0)
        core_usage(x->core, PV_KIND_vm, &ids[0], &at, values, have);
    if (core_subscribe(x->core, on_other_event, &seen, &sub, NULL) == PV_OK) {
        clock_sleep_ms(2);
        core_unsubscribe(sub);
    }
}

static struct pv_id provider_make(struct stress *x, const char *name, unsigned seed)
{
    json_t *body = json_pack("{s:s, s:s, s:s, s:{s:i, s:i, s:i, s:i, s:f, s:s}}", "name", name, "driver", "sim",
                             "endpoint", "sim://a", "settings", "vms", 60, "seed", (int)seed, "change_rate", 50,
                             "speed", 0, "failure_rate", 0.05, "family", seed % 2 ? "vmware" : "hyperv");
    struct pv_err err = { 0 };
    struct pv_id id;

    id_make(&id);
    if (core_provider_create(x->core, &someone, &id, body, NULL, true, NULL, &err) != PV_OK) {
        fprintf(stderr, "stress: %s %s\n", err.message, err.pointer);
        atomic_fetch_add(&x->faults, 1);
    }
    json_decref(body);
    return id;
}

static void provider_life(struct stress *x, unsigned thread, unsigned n)
{
    struct core_task_request q = { .operation = model_operation("provider.sync"), .kind = PV_KIND_provider };
    char name[32];
    struct pv_id id, task;

    q.subject = x->providers[n % PROVIDERS];
    if (core_task_submit(x->core, &someone, &q, NULL, &task, NULL, NULL, NULL) == PV_OK)
        wait_for_task(x, &task);
    snprintf(name, sizeof(name), "passing-%u-%u", thread, n);
    id = provider_make(x, name, 100 + thread);
    clock_sleep_ms(n % 3 * 20);
    expect(x, core_provider_delete(x->core, &someone, &id, true, NULL, NULL) == PV_OK, "a provider cannot be deleted");
}

struct user {
    pthread_t thread;
    struct stress *stress;
    unsigned number;
};

static void *use(void *arg)
{
    struct user *u = arg;

    for (unsigned n = 0; n < ROUNDS; n++) {
        struct arena *a = arena_new(65536, 1u << 26);

        one_task(u->stress, n * THREADS + u->number, a);
        if (n % 6 == u->number)
            one_bulk(u->stress, n, a);
        if (n % 8 == u->number)
            provider_life(u->stress, u->number, n);
        own_fields(u->stress, n, a);
        look_around(u->stress, a);
        arena_free(a);
    }
    return NULL;
}

static void use_by_all(struct stress *x)
{
    struct user users[THREADS];

    for (unsigned i = 0; i < THREADS; i++) {
        users[i] = (struct user){ .stress = x, .number = i };
        pthread_create(&users[i].thread, NULL, use, &users[i]);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(users[i].thread, NULL);
}

static bool start(struct stress *x)
{
    struct core_config config = { .store = x->store, .drivers = x->drivers };
    struct pv_err err = { 0 };

    if (core_start(&config, &x->core, &err) == PV_OK)
        return true;
    fprintf(stderr, "stress: %s\n", err.message);
    return false;
}

int main(void)
{
    struct stress x = { .lock = PTHREAD_MUTEX_INITIALIZER };
    char dir[] = "/tmp/polyvisor-stress-XXXXXX", path[64];
    struct store_config config = { .path = path };
    struct core_subscription *sub;
    int64_t deadline;

    log_open("stress", PV_LOG_ERROR);
    if (!mkdtemp(dir))
        return 2;
    snprintf(path, sizeof(path), "%s/db", dir);
    x.drivers = start_registry(REAL, DRIVERS_IN_PROCESS);
    if (!x.drivers || store_open(&config, &x.store, NULL) != PV_OK || !start(&x))
        return 2;
    core_subscribe(x.core, on_event, &x, &sub, NULL);
    for (unsigned i = 0; i < PROVIDERS; i++) {
        char name[16];

        snprintf(name, sizeof(name), "sim%u", i);
        x.providers[i] = provider_make(&x, name, i);
    }
    clock_sleep_ms(300);
    use_by_all(&x);
    deadline = clock_mono_ms() + 60000;
    while (atomic_load(&x.answers) < atomic_load(&x.waits) && clock_mono_ms() < deadline)
        clock_sleep_ms(10);
    expect(&x, atomic_load(&x.answers) == atomic_load(&x.waits), "somebody still waits");

    atomic_store(&x.ending, true);
    /* The end in the middle of everything, and a new start. */
    for (unsigned i = 0; i < 20; i++) {
        struct arena *a = arena_new(65536, 1u << 26);

        one_bulk(&x, i, a);
        arena_free(a);
    }
    core_unsubscribe(sub);
    core_stop(x.core);
    x.answers = x.waits = 0;
    if (!start(&x))
        return 2;
    clock_sleep_ms(300);
    core_stop(x.core);
    drivers_stop(x.drivers);
    store_close(x.store);
    if (remove_tree(dir) != 0)
        return 2;
    printf("%u faults\n", atomic_load(&x.faults));
    return atomic_load(&x.faults) ? 1 : 0;
}
