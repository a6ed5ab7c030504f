/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <polyvisor/clock.h>

#include "tests/unit/db_store.h"

TestSuite(write);

static uint64_t count(struct fixture *f, enum pv_kind kind)
{
    struct model_shape shape = { .kind = model_kind(kind) };
    struct store_query q = { .shape = &shape, .with_gone = true };
    struct pv_err err = { 0 };
    uint64_t n = 0;

    cr_assert_eq(store_count(f->store, &q, &n, &err), PV_OK, "%s", err.message);
    return n;
}

static int try_insert(struct fixture *f, struct model_row *row, struct pv_err *err)
{
    return store_write(f->store, insert_fn, row, err);
}

Test(write, a_taken_name_names_its_field)
{
    struct fixture f = fixture_make();
    struct model_row *tag, *top, *folder;
    struct pv_err err = { 0 };

    fixture_open(&f);
    tag = row_new(&f, PV_KIND_tag);
    model_set_text(tag, F(tag, name), "env=prod");
    insert(&f, tag);
    id_make(&tag->id);
    model_set_text(tag, F(tag, name), "ENV=prod");
    cr_assert_eq(try_insert(&f, tag, &err), PV_EEXIST);
    cr_assert_str_eq(pv_err_problem(&err)->code, "name-taken");
    cr_assert_str_eq(err.pointer, "/name");
    cr_assert(strstr(err.message, "ENV=prod"));

    top = row_new(&f, PV_KIND_folder);
    model_set_text(top, F(folder, name), "a");
    insert(&f, top);
    folder = row_new(&f, PV_KIND_folder);
    model_set_text(folder, F(folder, name), "a");
    cr_assert_eq(try_insert(&f, folder, &err), PV_EEXIST, "two folders of one name at the root");
    model_set_ref(folder, F(folder, parent), &top->id);
    insert(&f, folder);
    id_make(&folder->id);
    cr_assert_eq(try_insert(&f, folder, &err), PV_EEXIST, "two folders of one name in a folder");
    cr_assert_str_eq(err.pointer, "/name");
    fixture_end(&f);
}

Test(write, a_native_id_is_bound_once_per_provider_and_once_per_owner)
{
    struct fixture f = fixture_make();
    struct model_row *p, *q, *vm, *other, *disk;
    struct pv_err err = { 0 };

    fixture_open(&f);
    p = provider_new(&f, "one");
    q = provider_new(&f, "two");
    insert(&f, p);
    insert(&f, q);
    vm = vm_new(&f, p, "a");
    insert(&f, vm);
    other = vm_new(&f, p, "b");
    model_set_text(other, F(vm, native_id), model_text(vm, F(vm, native_id)));
    cr_assert_eq(try_insert(&f, other, &err), PV_EEXIST);
    cr_assert_str_eq(pv_err_problem(&err)->code, "conflict-exists");
    cr_assert_str_eq(err.pointer, "/native.id");
    model_set_ref(other, F(vm, provider), &q->id);
    insert(&f, other);
    disk = row_new(&f, PV_KIND_disk);
    model_set_ref(disk, F(disk, owner), &vm->id);
    model_set_text(disk, F(disk, native_id), "2000");
    insert(&f, disk);
    id_make(&disk->id);
    cr_assert_eq(try_insert(&f, disk, &err), PV_EEXIST);
    model_set_ref(disk, F(disk, owner), &other->id);
    insert(&f, disk);
    cr_assert_eq(try_insert(&f, disk, &err), PV_EEXIST, "the id itself");
    fixture_end(&f);
}

Test(write, an_update_writes_the_named_fields_alone)
{
    struct fixture f = fixture_make();
    struct model_row *p, *vm, *got;
    struct pv_err err = { 0 };

    fixture_open(&f);
    p = provider_new(&f, "vc");
    insert(&f, p);
    vm = vm_new(&f, p, "Before");
    model_set_number(vm, F(vm, cpu_count), 2);
    insert(&f, vm);
    model_set_text(vm, F(vm, name), "After");
    model_set_number(vm, F(vm, cpu_count), 8);
    update(&f, vm, F(vm, name));
    cr_assert_eq(store_row_get(f.store, shape_all(&f, PV_KIND_vm), &vm->id, f.arena, &got, &err),
                 PV_OK);
    cr_assert_str_eq(model_text(got, F(vm, name)), "After");
    cr_assert_eq(model_number(got, F(vm, cpu_count)), 2);
    model_set_null(vm, F(vm, cpu_count));
    update(&f, vm, F(vm, cpu_count));
    cr_assert_eq(store_row_get(f.store, shape_all(&f, PV_KIND_vm), &vm->id, f.arena, &got, &err),
                 PV_OK);
    cr_assert(!got->values[F(vm, cpu_count)].set);
    id_make(&vm->id);
    cr_assert_eq(store_write(f.store, update_fn, &(struct update_arg){ vm, F(vm, name) }, &err),
                 PV_ENOENT);
    cr_assert_eq(
        store_write(f.store, update_fn, &(struct update_arg){ vm, F(vm, datastores) }, &err),
        PV_ENOENT);
    cr_assert_neq(store_write(f.store, update_fn, &(struct update_arg){ vm, F(vm, stale) }, &err),
                  PV_OK);
    fixture_end(&f);
}

Test(write, a_deleted_vm_takes_its_children_along)
{
    struct fixture f = fixture_make();
    struct model_row *p, *vm[2];
    struct store_hit *hits;
    struct pv_err err = { 0 };
    size_t n;

    fixture_open(&f);
    p = provider_new(&f, "vc");
    insert(&f, p);
    for (int i = 0; i < 2; i++) {
        struct model_row *disk = row_new(&f, PV_KIND_disk), *snap = row_new(&f, PV_KIND_snapshot);

        vm[i] = vm_new(&f, p, "doomed");
        insert(&f, vm[i]);
        model_set_ref(disk, F(disk, owner), &vm[i]->id);
        insert(&f, disk);
        model_set_ref(snap, F(snapshot, owner), &vm[i]->id);
        model_set_text(snap, F(snapshot, name), "before upgrade");
        insert(&f, snap);
    }
    remove_row(&f, PV_KIND_vm, &vm[0]->id);
    cr_assert_eq(count(&f, PV_KIND_vm), 1);
    cr_assert_eq(count(&f, PV_KIND_disk), 1);
    cr_assert_eq(count(&f, PV_KIND_snapshot), 1);
    cr_assert_eq(store_search(f.store, "upgrade", NULL, 0, NULL, 10, f.arena, &hits, &n, &err), PV_OK);
    cr_assert_eq(n, 1);
    cr_assert_eq(
        store_write(f.store, remove_fn, &(struct remove_arg){ PV_KIND_vm, &vm[0]->id }, &err),
        PV_ENOENT);
    fixture_end(&f);
}

struct prune {
    const struct pv_id *owner, *keep;
    size_t nkeep, deleted;
};

static int prune_fn(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct prune *p = arg;

    return tx_children_prune(tx, PV_KIND_disk, p->owner, p->keep, p->nkeep, &p->deleted, err);
}

Test(write, children_that_are_not_kept_are_deleted)
{
    struct fixture f = fixture_make();
    struct model_row *vm, *disk[3];
    struct prune prune;
    struct pv_err err = { 0 };

    fixture_open(&f);
    vm = vm_new(&f, NULL, "a");
    insert(&f, vm);
    for (int i = 0; i < 3; i++) {
        disk[i] = row_new(&f, PV_KIND_disk);
        model_set_ref(disk[i], F(disk, owner), &vm->id);
        model_set_text(disk[i], F(disk, native_id), arena_printf(f.arena, "%d", i));
        insert(&f, disk[i]);
    }
    prune = (struct prune){ &vm->id, &disk[1]->id, 1, 0 };
    cr_assert_eq(store_write(f.store, prune_fn, &prune, &err), PV_OK);
    cr_assert_eq(prune.deleted, 2);
    cr_assert_eq(count(&f, PV_KIND_disk), 1);
    fixture_end(&f);
}

/* ------------------------------------------------------------------ groups */

struct step {
    const char *name;
    bool fails;
    int rc;
    unsigned at, *next;
};

static void hook(void *arg)
{
    struct step *s = arg;

    s->at = ++*s->next;
}

static int step_fn(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct step *s = arg;
    struct model_row *row = model_row_new(tx_arena(tx), PV_KIND_tag);
    int rc;

    id_make(&row->id);
    model_set_text(row, F(tag, name), s->name);
    rc = tx_row_insert(tx, row, err);
    if (rc == PV_OK)
        rc = tx_after_commit(tx, hook, s, err);
    if (rc == PV_OK && s->fails)
        rc = pv_fail(err, PV_ESTATE, "on purpose");
    return rc;
}

static void step_done(void *arg, int rc, const struct pv_err *err)
{
    struct step *s = arg;

    s->rc = rc;
    if (rc != PV_OK)
        cr_assert_str_eq(err->message, "on purpose");
}

/* Holds the writer until the others are queued, so that they share a commit. */
static int hold_fn(struct store_tx *tx, void *arg, struct pv_err *err)
{
    (void)tx;
    (void)arg;
    (void)err;
    clock_sleep_ms(3);
    return PV_OK;
}

Test(write, a_failing_function_undoes_its_own_work_alone)
{
    struct fixture f = fixture_make();
    struct step steps[6] = { 0 };
    struct pv_err err = { 0 };
    unsigned next = 0;

    fixture_open(&f);
    cr_assert_eq(store_write_later(f.store, hold_fn, NULL, NULL, &err), PV_OK);
    for (unsigned i = 0; i < 6; i++) {
        steps[i] = (struct step){ .name = arena_printf(f.arena, "t%u", i),
                                  .fails = i == 2 || i == 4,
                                  .rc = 77,
                                  .next = &next };
        if (i < 5)
            cr_assert_eq(store_write_later(f.store, step_fn, &steps[i], step_done, &err), PV_OK);
    }
    cr_assert_eq(store_write(f.store, step_fn, &steps[5], &err), PV_OK, "%s", err.message);
    cr_assert_eq(count(&f, PV_KIND_tag), 4);
    for (unsigned i = 0; i < 5; i++)
        cr_assert_eq(steps[i].rc, steps[i].fails ? PV_ESTATE : PV_OK);
    cr_assert_eq(steps[2].at, 0, "what fails leaves nothing to do");
    cr_assert_eq(steps[0].at, 1, "hooks run in the order of commits, before the waiter wakes");
    cr_assert_eq(steps[1].at, 2);
    cr_assert_eq(steps[3].at, 3);
    cr_assert_eq(steps[5].at, 4);
    fixture_end(&f);
}

Test(write, settling_waits_for_what_was_handed_over_before)
{
    struct fixture f = fixture_make();
    struct pv_err err = { 0 };
    unsigned next = 0;
    struct step step = { .name = "later", .rc = 77, .next = &next };

    fixture_open(&f);
    cr_assert_eq(store_write_later(f.store, hold_fn, NULL, NULL, &err), PV_OK);
    cr_assert_eq(store_write_later(f.store, step_fn, &step, step_done, &err), PV_OK);
    cr_assert_eq(store_settle(f.store, &err), PV_OK, "%s", err.message);
    cr_assert_eq(step.rc, PV_OK);
    cr_assert_eq(count(&f, PV_KIND_tag), 1, "it is on disk");
    fixture_end(&f);
}

struct many {
    struct fixture *f;
    unsigned number;
};

static int count_fn(struct store_tx *tx, void *arg, struct pv_err *err)
{
    return tx_counter_next(tx, "event", arg, err);
}

static void *count_many(void *arg)
{
    struct many *m = arg;
    uint64_t last = 0;

    for (int i = 0; i < 50; i++) {
        uint64_t value = 0;
        struct pv_err err = { 0 };

        cr_assert_eq(store_write(m->f->store, count_fn, &value, &err), PV_OK, "%s", err.message);
        cr_assert_gt(value, last, "own writes are in order");
        last = value;
    }
    return NULL;
}

Test(write, counters_only_grow_under_many_threads)
{
    struct fixture f = fixture_make();
    pthread_t threads[8];
    struct many many = { &f, 0 };
    struct pv_err err = { 0 };
    uint64_t value = 0;

    fixture_open(&f);
    for (int i = 0; i < 8; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, count_many, &many), 0);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(store_write(f.store, count_fn, &value, &err), PV_OK);
    cr_assert_eq(value, 401);
    fixture_end(&f);
}

Test(write, changes_of_a_kind_are_counted_when_they_are_committed)
{
    struct fixture f = fixture_make();
    struct model_row *tag;
    struct pv_err err = { 0 };
    uint64_t before, vms;

    fixture_open(&f);
    before = store_kind_changes(f.store, PV_KIND_tag);
    vms = store_kind_changes(f.store, PV_KIND_vm);
    tag = row_new(&f, PV_KIND_tag);
    model_set_text(tag, F(tag, name), "a");
    insert(&f, tag);
    cr_assert_eq(store_kind_changes(f.store, PV_KIND_tag), before + 1);
    cr_assert_eq(store_kind_changes(f.store, PV_KIND_vm), vms);
    id_make(&tag->id);
    cr_assert_eq(try_insert(&f, tag, &err), PV_EEXIST);
    cr_assert_eq(store_kind_changes(f.store, PV_KIND_tag), before + 1, "a failure changes nothing");
    fixture_end(&f);
}

Test(write, what_was_acknowledged_survives_a_kill)
{
    struct fixture f = fixture_make();
    int pipes[2], status;
    unsigned acknowledged = 0, got;
    pid_t child;

    cr_assert_eq(pipe(pipes), 0);
    child = fork();
    if (child == 0) {
        fixture_open(&f);
        for (unsigned i = 1;; i++) {
            struct model_row *tag = row_new(&f, PV_KIND_tag);

            model_set_text(tag, F(tag, name), arena_printf(f.arena, "t%u", i));
            insert(&f, tag);
            if (write(pipes[1], &i, sizeof(i)) != sizeof(i))
                _exit(1);
        }
    }
    close(pipes[1]);
    while (acknowledged < 50 && read(pipes[0], &got, sizeof(got)) == sizeof(got))
        acknowledged = got;
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    while (read(pipes[0], &got, sizeof(got)) == sizeof(got))
        acknowledged = got;
    close(pipes[0]);
    fixture_open(&f);
    cr_assert_geq(acknowledged, 50);
    cr_assert_geq(count(&f, PV_KIND_tag), acknowledged);
    cr_assert_leq(count(&f, PV_KIND_tag), acknowledged + 1);
    fixture_end(&f);
}

struct big {
    unsigned from, n;
    int rc;
};

static int big_fn(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct big *b = arg;
    char *text = arena_alloc(tx_arena(tx), 4097);
    int rc = PV_OK;

    memset(text, 'x', 4096);
    for (unsigned i = 0; i < b->n && rc == PV_OK; i++) {
        struct model_row *row = model_row_new(tx_arena(tx), PV_KIND_folder);

        id_make(&row->id);
        model_set_text(row, F(folder, name), arena_printf(tx_arena(tx), "f%u", b->from + i));
        model_set_text(row, F(folder, notes), text);
        rc = tx_row_insert(tx, row, err);
    }
    return rc;
}

static void big_done(void *arg, int rc, const struct pv_err *err)
{
    struct big *b = arg;

    (void)err;
    b->rc = rc;
}

/* No file may grow beyond this: what a full disk looks like to the engine. */
Test(write, a_full_disk_is_said_and_small_work_beside_it_survives)
{
    struct fixture f = fixture_make();
    struct rlimit limit = { 6u << 20, RLIM_INFINITY }, none = { RLIM_INFINITY, RLIM_INFINITY };
    struct big small = { 100000, 1, 77 }, large = { 0, 3000, 77 }, after = { 200000, 1, 77 };
    struct pv_err err = { 0 };

    signal(SIGXFSZ, SIG_IGN);
    fixture_open(&f);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_assert_eq(store_write_later(f.store, hold_fn, NULL, NULL, &err), PV_OK);
    cr_assert_eq(store_write_later(f.store, big_fn, &small, big_done, &err), PV_OK);
    cr_assert_eq(store_write(f.store, big_fn, &large, &err), PV_ENOSPC, "%s", err.message);
    cr_assert_eq(store_write(f.store, big_fn, &after, &err), PV_OK, "%s", err.message);
    cr_assert_eq(small.rc, PV_OK);
    cr_assert_eq(count(&f, PV_KIND_folder), 2);
    setrlimit(RLIMIT_FSIZE, &none);
    fixture_end(&f);
}

struct purge {
    int64_t before;
    uint64_t keep;
    size_t deleted;
};

static int purge_fn(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct purge *p = arg;

    return tx_purge_events(tx, p->before, p->keep, &p->deleted, err);
}

static void events_purge(struct fixture *f, int64_t before, uint64_t keep, size_t expected)
{
    struct purge p = { before, keep, 0 };
    struct pv_err err = { 0 };

    cr_assert_eq(store_write(f->store, purge_fn, &p, &err), PV_OK, "%s", err.message);
    cr_assert_eq(p.deleted, expected, "%zu deleted", p.deleted);
}

Test(write, events_are_read_in_order_and_purged_by_age_and_number)
{
    struct fixture f = fixture_make();
    struct model_row *event;
    struct pv_err err = { 0 };
    uint64_t oldest = 9, newest = 9;

    fixture_open(&f);
    cr_assert_eq(store_event_bounds(f.store, &oldest, &newest, &err), PV_OK);
    cr_assert_eq(oldest, 0);
    cr_assert_eq(newest, 0);
    for (int i = 1; i <= 10; i++) {
        event = row_new(&f, PV_KIND_event);
        model_set_number(event, F(event, seq), i);
        model_set_number(event, F(event, created_at), i * 100);
        insert(&f, event);
    }
    event = row_new(&f, PV_KIND_event);
    model_set_number(event, F(event, seq), 10);
    cr_assert_neq(try_insert(&f, event, &err), PV_OK, "a number is given once");
    cr_assert_eq(store_event_bounds(f.store, &oldest, &newest, &err), PV_OK);
    cr_assert_eq(oldest, 1);
    cr_assert_eq(newest, 10);
    events_purge(&f, 650, 2, 6);
    events_purge(&f, 100000, 2, 2);
    cr_assert_eq(store_event_bounds(f.store, &oldest, &newest, &err), PV_OK);
    cr_assert_eq(oldest, 9);
    fixture_end(&f);
}

static int purge_tasks_fn(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct purge *p = arg;

    return tx_purge_tasks(tx, p->before, p->keep, &p->deleted, err);
}

static int purge_gone_fn(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct purge *p = arg;

    return tx_purge_gone(tx, p->before, &p->deleted, err);
}

Test(write, only_finished_tasks_and_only_the_oldest_are_purged)
{
    struct fixture f = fixture_make();
    struct purge p = { 1000, 4, 0 };
    struct pv_err err = { 0 };

    fixture_open(&f);
    for (int i = 0; i < 10; i++) {
        struct model_row *task = row_new(&f, PV_KIND_task);

        model_set_number(task, F(task, state),
                         i < 2 ? PV_TASK_STATE_RUNNING : PV_TASK_STATE_SUCCEEDED);
        model_set_number(task, F(task, finished_at), i < 5 ? 10 : 2000);
        insert(&f, task);
    }
    cr_assert_eq(store_write(f.store, purge_tasks_fn, &p, &err), PV_OK, "%s", err.message);
    cr_assert_eq(p.deleted, 3);
    p = (struct purge){ 9000, 4, 0 };
    cr_assert_eq(store_write(f.store, purge_tasks_fn, &p, &err), PV_OK, "%s", err.message);
    cr_assert_eq(p.deleted, 3, "four are kept");
    cr_assert_eq(count(&f, PV_KIND_task), 4);
    fixture_end(&f);
}

Test(write, what_is_long_gone_is_purged)
{
    struct fixture f = fixture_make();
    struct purge p = { 1000, 0, 0 };
    struct pv_err err = { 0 };

    fixture_open(&f);
    for (int i = 0; i < 4; i++) {
        struct model_row *vm = vm_new(&f, NULL, "old");

        model_set_number(vm, F(vm, presence), i % 2 ? PV_PRESENCE_GONE : PV_PRESENCE_MISSING);
        model_set_number(vm, F(vm, missing_since), i < 2 ? 10 : 2000);
        insert(&f, vm);
    }
    cr_assert_eq(store_write(f.store, purge_gone_fn, &p, &err), PV_OK, "%s", err.message);
    cr_assert_eq(p.deleted, 1);
    cr_assert_eq(count(&f, PV_KIND_vm), 3);
    fixture_end(&f);
}
