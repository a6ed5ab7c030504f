/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdarg.h>

#include "db/sqlite.h"
#include "tests/unit/db_store.h"

TestSuite(open);

/* Change the file behind the store's back. */
static void change(struct fixture *f, const char *sql)
{
    struct conn *c = NULL;
    struct pv_err err = { 0 };

    cr_assert_eq(conn_open(f->path, CONN_WRITER, &c, &err), PV_OK, "%s", err.message);
    cr_assert_eq(conn_exec(c, sql, &err), PV_OK, "%s", err.message);
    conn_close(c);
}

static int open_again(struct fixture *f, struct pv_err *err)
{
    struct store_config config = { .path = f->path };

    f->store = NULL;
    return store_open(&config, &f->store, err);
}

static struct model_row *one_vm(struct fixture *f)
{
    struct model_row *vm = vm_new(f, NULL, "Survivor");

    insert(f, vm);
    return vm;
}

Test(open, a_new_file_is_for_its_owner_alone_and_opens_again)
{
    struct fixture f = fixture_make();
    struct model_row *vm, *got;
    struct pv_err err = { 0 };
    struct stat st;

    fixture_open(&f);
    vm = one_vm(&f);
    cr_assert_eq(stat(f.path, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0600);
    cr_assert_gt(store_size_bytes(f.store), 0);
    store_close(f.store);
    cr_assert_eq(open_again(&f, &err), PV_OK, "%s", err.message);
    cr_assert_eq(store_row_get(f.store, shape_all(&f, PV_KIND_vm), &vm->id, f.arena, &got, &err),
                 PV_OK);
    cr_assert_str_eq(model_text(got, F(vm, name)), "Survivor");
    fixture_end(&f);
}

Test(open, a_newer_schema_is_refused)
{
    struct fixture f = fixture_make();
    struct pv_err err = { 0 };

    fixture_open(&f);
    store_close(f.store);
    change(&f, "INSERT INTO schema_migration (version, sha256, applied_ms) VALUES (9999, 'x', 0)");
    cr_assert_eq(open_again(&f, &err), PV_ENOTSUP);
    cr_assert(strstr(err.message, "newer"));
    cr_assert_gt(strlen(err.remedy), 0);
    fixture_end(&f);
}

Test(open, a_changed_migration_is_an_error)
{
    struct fixture f = fixture_make();
    struct pv_err err = { 0 };

    fixture_open(&f);
    store_close(f.store);
    change(&f, "UPDATE schema_migration SET sha256 = 'other'");
    cr_assert_neq(open_again(&f, &err), PV_OK);
    cr_assert(strstr(err.message, "another text"));
    fixture_end(&f);
}

Test(open, columns_and_indexes_that_a_table_lacks_are_added)
{
    struct fixture f = fixture_make();
    struct model_row *vm, *got;
    struct store_query q = { .limit = 10 };
    struct model_value v = { .set = true, .text = "Survivor", .len = 8 };
    struct pv_err err = { 0 };
    struct pv_id *ids;
    size_t n;

    fixture_open(&f);
    vm = one_vm(&f);
    store_close(f.store);
    change(
        &f,
        "DROP INDEX i_vm_name; DROP INDEX i_vm_memory_bytes; ALTER TABLE k_vm DROP COLUMN name_f;"
        "ALTER TABLE k_vm DROP COLUMN memory_bytes; ALTER TABLE k_vm DROP COLUMN annotation;"
        "DROP TABLE k_vm_datastores");
    cr_assert_eq(open_again(&f, &err), PV_OK, "%s", err.message);
    q.shape = shape_all(&f, PV_KIND_vm);
    cr_assert_eq(store_row_get(f.store, q.shape, &vm->id, f.arena, &got, &err), PV_OK, "%s",
                 err.message);
    cr_assert(!got->values[F(vm, memory_bytes)].set);
    model_set_number(vm, F(vm, memory_bytes), 5);
    update(&f, vm, F(vm, memory_bytes));
    cr_assert_eq(store_find(f.store, PV_KIND_vm, F(vm, name), &v, 5, f.arena, &ids, &n, &err),
                 PV_OK);
    cr_assert_eq(n, 1, "the folded text of rows that were there is made");
    fixture_end(&f);
}

Test(open, what_is_no_database_is_refused)
{
    struct fixture f = fixture_make();
    struct pv_err err = { 0 };
    FILE *file = fopen(f.path, "w");

    for (int i = 0; i < 1000; i++)
        fputs("this is a letter, not a database. ", file);
    fclose(file);
    cr_assert_eq(open_again(&f, &err), PV_EIO, "%s", err.message);
    cr_assert_str_eq(pv_err_problem(&err)->code, "internal");
    snprintf(f.path, sizeof(f.path), "%s/no/such/folder", f.dir);
    cr_assert_eq(open_again(&f, &err), PV_ENOENT);
    fixture_end(&f);
}

Test(open, a_backup_is_a_whole_database)
{
    struct fixture f = fixture_make();
    char path[128];
    struct model_row *vm, *got;
    struct pv_err err = { 0 };
    struct stat st;

    fixture_open(&f);
    vm = one_vm(&f);
    snprintf(path, sizeof(path), "%s/backup", f.dir);
    cr_assert_eq(store_backup(f.store, path, &err), PV_OK, "%s", err.message);
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0600);
    cr_assert_neq(store_backup(f.store, path, &err), PV_OK,
                  "a file that is there is not written over");
    remove_row(&f, PV_KIND_vm, &vm->id);
    store_close(f.store);
    snprintf(f.path, sizeof(f.path), "%s", path);
    cr_assert_eq(open_again(&f, &err), PV_OK, "%s", err.message);
    cr_assert_eq(store_row_get(f.store, shape_all(&f, PV_KIND_vm), &vm->id, f.arena, &got, &err),
                 PV_OK);
    fixture_end(&f);
}

static void *read_in_thread(void *arg)
{
    struct fixture *f = arg;
    struct model_shape shape = { .kind = model_kind(PV_KIND_vm) };
    struct store_query q = { .shape = &shape };
    struct pv_err err = { 0 };
    uint64_t n = 0;

    cr_assert_eq(store_count(f->store, &q, &n, &err), PV_OK, "%s", err.message);
    return n == 1 ? f : NULL;
}

Test(open, threads_come_and_go)
{
    struct fixture f = fixture_make();

    fixture_open(&f);
    one_vm(&f);
    for (int i = 0; i < 40; i++) {
        pthread_t thread;
        void *ok;

        cr_assert_eq(pthread_create(&thread, NULL, read_in_thread, &f), 0);
        pthread_join(thread, &ok);
        cr_assert_not_null(ok);
    }
    fixture_end(&f);
}

/* ------------------------------------------------------------------ settings, logins and the like
 */

struct small {
    struct arena *a;
    struct store_login login;
    struct store_idempotency request, seen;
    const char *text;
    size_t deleted;
};

static int put_all(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct small *s = arg;
    int rc = tx_setting_put(tx, "key", s->text, err);

    if (rc == PV_OK)
        rc = tx_login_put(tx, &s->login, err);
    if (rc == PV_OK)
        rc = tx_throttle_put(tx, "user:x", 3, 1234, err);
    return rc == PV_OK ? tx_idempotency_put(tx, &s->request, err) : rc;
}

static int get_request(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct small *s = arg;

    return tx_idempotency_get(tx, &s->request.principal, "k1", s->a, &s->seen, err);
}

static int drop_all(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct small *s = arg;
    int rc = tx_setting_put(tx, "key", NULL, err);

    if (rc == PV_OK)
        rc = tx_throttle_put(tx, "user:x", 0, 0, err);
    return rc == PV_OK
               ? tx_purge_short_lived(tx, s->request.created_ms + 25LL * 3600000, &s->deleted, err)
               : rc;
}

Test(open, settings_logins_and_answered_requests_are_kept_until_their_time)
{
    struct fixture f = fixture_make();
    struct small s = { .a = f.arena, .text = "v" };
    struct store_login login, *logins;
    struct pv_err err = { 0 };
    const char *text = NULL;
    uint32_t failures = 9;
    int64_t last = 9;
    size_t n;

    fixture_open(&f);
    memset(s.login.hash, 7, 32);
    id_make(&s.login.user);
    s.login.expires_ms = 2000;
    snprintf(s.login.address, sizeof(s.login.address), "::1");
    s.request.created_ms = 4102444800000; /* 2100 */
    s.request.status = 201;
    snprintf(s.request.key, sizeof(s.request.key), "k1");
    s.request.body = "{}";
    id_make(&s.request.principal);
    cr_assert_eq(store_setting_get(f.store, "key", f.arena, &text, &err), PV_ENOENT);
    cr_assert_eq(store_write(f.store, get_request, &s, &err), PV_ENOENT);
    cr_assert_eq(store_write(f.store, put_all, &s, &err), PV_OK, "%s", err.message);
    cr_assert_eq(store_setting_get(f.store, "key", f.arena, &text, &err), PV_OK);
    cr_assert_str_eq(text, "v");
    cr_assert_eq(store_login_get(f.store, s.login.hash, &login, &err), PV_OK);
    cr_assert(id_eq(&login.user, &s.login.user));
    cr_assert_str_eq(login.address, "::1");
    cr_assert_eq(store_logins_of(f.store, &s.login.user, f.arena, &logins, &n, &err), PV_OK);
    cr_assert_eq(n, 1);
    cr_assert_eq(store_throttle_get(f.store, "user:x", &failures, &last, &err), PV_OK);
    cr_assert_eq(failures, 3);
    cr_assert_eq(last, 1234);
    cr_assert_eq(store_write(f.store, get_request, &s, &err), PV_OK);
    cr_assert_eq(s.seen.status, 201);
    cr_assert_str_eq(s.seen.body, "{}");
    cr_assert_str_eq(s.seen.headers, "");
    cr_assert_eq(store_write(f.store, drop_all, &s, &err), PV_OK, "%s", err.message);
    cr_assert_eq(s.deleted, 2);
    cr_assert_eq(store_login_get(f.store, s.login.hash, &login, &err), PV_ENOENT);
    cr_assert_eq(store_setting_get(f.store, "key", f.arena, &text, &err), PV_ENOENT);
    cr_assert_eq(store_throttle_get(f.store, "user:x", &failures, &last, &err), PV_OK);
    cr_assert_eq(failures, 0);
    fixture_end(&f);
}
