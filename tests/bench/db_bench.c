/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db_bench - what storage costs: CPU milliseconds of writing and reading an
 * estate of VMs. Run by hand on a release build:
 *
 *     db_bench [VMs, 25000] [folder, /tmp]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <polyvisor/arena.h>
#include <polyvisor/clock.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/filter.h>
#include <polyvisor/log.h>

#include "db/store.h"

#define HOSTS 250
#define BATCH 500

static struct arena *arena;
static struct store *store;
static struct model_row *provider, *hosts[HOSTS], *datastore, *network;
static struct pv_id *vms;
static unsigned nvms;

static void check(int rc, const struct pv_err *err)
{
    if (rc == PV_OK)
        return;
    fprintf(stderr, "%s\n", err->message);
    exit(1);
}

static double process_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static struct model_row *row_new(struct arena *a, enum pv_kind kind)
{
    struct model_row *row = model_row_new(a, kind);

    id_make(&row->id);
    model_set_number(row, model_field_by_name(row->kind, "created_at")->index, 1);
    model_set_number(row, model_field_by_name(row->kind, "updated_at")->index, 1);
    model_set_number(row, model_field_by_name(row->kind, "version")->index, 1);
    return row;
}

static struct model_row *native(struct arena *a, enum pv_kind kind, const char *id)
{
    struct model_row *row = row_new(a, kind);

    model_set_ref(row, model_field_by_name(row->kind, "provider")->index, &provider->id);
    model_set_text(row, model_field_by_name(row->kind, "native_id")->index, id);
    return row;
}

static int write_base(struct store_tx *tx, void *arg, struct pv_err *err)
{
    int rc = tx_row_insert(tx, provider, err);

    (void)arg;
    if (rc == PV_OK)
        rc = tx_row_insert(tx, datastore, err);
    if (rc == PV_OK)
        rc = tx_row_insert(tx, network, err);
    for (int i = 0; i < HOSTS && rc == PV_OK; i++)
        rc = tx_row_insert(tx, hosts[i], err);
    return rc;
}

static struct model_row *make_vm(struct arena *a, unsigned i)
{
    struct model_row *vm = native(a, PV_KIND_vm, arena_printf(a, "vm-%u", i));
    static struct model_ref ds[1], net[1];

    ds[0].id = datastore->id;
    net[0].id = network->id;
    vms[i] = vm->id;
    model_set_text(vm, F(vm, name),
                   arena_printf(a, "%s-%05u", i % 3 ? "web" : "SQL", (i * 7919) % nvms));
    model_set_number(vm, F(vm, power_state), i % 5 ? PV_POWER_STATE_RUNNING : PV_POWER_STATE_OFF);
    model_set_ref(vm, F(vm, host), &hosts[i % HOSTS]->id);
    vm->values[F(vm, datastores)] = (struct model_value){ .set = true, .refs = ds, .len = 1 };
    vm->values[F(vm, networks)] = (struct model_value){ .set = true, .refs = net, .len = 1 };
    model_set_number(vm, F(vm, is_template), 0);
    model_set_text(vm, F(vm, uuid), arena_printf(a, "4214%08x-aaaa-bbbb-cccc-%012u", i, i));
    model_set_text(vm, F(vm, bios_uuid), arena_printf(a, "5214%08x-aaaa-bbbb-cccc-%012u", i, i));
    model_set_text(vm, F(vm, hardware_version), "vmx-19");
    model_set_number(vm, F(vm, firmware), 1);
    model_set_number(vm, F(vm, cpu_count), 1 + i % 16);
    model_set_number(vm, F(vm, cpu_sockets), 1 + i % 16);
    model_set_number(vm, F(vm, memory_bytes), (1 + (int64_t)(i % 64)) << 30);
    model_set_number(vm, F(vm, guest_os_family), 1);
    model_set_text(vm, F(vm, guest_os_name), "Ubuntu Linux (64-bit)");
    model_set_text(vm, F(vm, guest_os_id), "ubuntu64Guest");
    model_set_text(vm, F(vm, guest_hostname), arena_printf(a, "host%u.example.com", i));
    model_set_text(vm, F(vm, guest_ip_addresses),
                   arena_printf(a, "\n10.%u.%u.%u\n", i >> 16, (i >> 8) & 255, i & 255));
    model_set_number(vm, F(vm, tools_state), 1);
    model_set_text(vm, F(vm, tools_version), "12352");
    model_set_number(vm, F(vm, snapshots_count), i % 3);
    model_set_number(vm, F(vm, storage_used_bytes), (int64_t)(i % 777) << 30);
    model_set_number(vm, F(vm, storage_provisioned_bytes), (int64_t)(i % 999) << 30);
    model_set_text(vm, F(vm, native_type), "VirtualMachine");
    model_set_text(vm, F(vm, native_path), arena_printf(a, "/DC0/vm/folder%u/vm-%u", i % 50, i));
    model_set_number(vm, F(vm, presence), PV_PRESENCE_PRESENT);
    model_set_number(vm, F(vm, health), PV_HEALTH_OK);
    model_set_text(vm, F(vm, annotation), i % 4 ? NULL : "Maintained by the platform group");
    return vm;
}

static struct model_row *make_disk(struct arena *a, const struct model_row *vm, unsigned n)
{
    struct model_row *d = native(a, PV_KIND_disk, arena_printf(a, "%u", 2000 + n));

    model_set_ref(d, F(disk, owner), &vm->id);
    model_set_text(d, F(disk, label), arena_printf(a, "Hard disk %u", n + 1));
    model_set_number(d, F(disk, bus), 1);
    model_set_number(d, F(disk, bus_number), 0);
    model_set_number(d, F(disk, unit), n);
    model_set_number(d, F(disk, capacity_bytes), 40LL << 30);
    model_set_number(d, F(disk, mode), 1);
    model_set_ref(d, F(disk, image_datastore), &datastore->id);
    model_set_text(d, F(disk, image_path),
                   arena_printf(a, "[ds] %s/disk%u.vmdk", model_text(vm, F(vm, name)), n));
    return d;
}

static struct model_row *make_nic(struct arena *a, const struct model_row *vm)
{
    struct model_row *n = native(a, PV_KIND_nic, "4000");

    model_set_ref(n, F(nic, owner), &vm->id);
    model_set_text(n, F(nic, label), "Network adapter 1");
    model_set_text(n, F(nic, mac), "00:50:56:AA:BB:CC");
    model_set_ref(n, F(nic, network), &network->id);
    model_set_number(n, F(nic, connected), 1);
    model_set_text(n, F(nic, ip_addresses), "\n10.0.0.1\n");
    return n;
}

static int write_vms(struct store_tx *tx, void *arg, struct pv_err *err)
{
    unsigned first = *(unsigned *)arg;
    struct arena *a = tx_arena(tx);
    int rc = PV_OK;

    for (unsigned i = first; i < first + BATCH && i < nvms && rc == PV_OK; i++) {
        struct model_row *vm = make_vm(a, i);

        rc = tx_row_insert(tx, vm, err);
        for (unsigned d = 0; d < 2 && rc == PV_OK; d++)
            rc = tx_row_insert(tx, make_disk(a, vm, d), err);
        if (rc == PV_OK)
            rc = tx_row_insert(tx, make_nic(a, vm), err);
    }
    return rc;
}

static void import(void)
{
    struct pv_err err = { 0 };
    double cpu = process_ms();
    int64_t wall = clock_mono_ms();

    check(store_write(store, write_base, NULL, &err), &err);
    for (unsigned i = 0; i < nvms; i += BATCH)
        check(store_write(store, write_vms, &i, &err), &err);
    printf("%-52s %8.1f ms CPU, %" PRId64 " ms, %.1f MB\n",
           "first import, with 2 disks and a nic each", process_ms() - cpu, clock_mono_ms() - wall,
           (double)store_size_bytes(store) / 1e6);
}

static int count_row(void *ctx, const struct model_row *row, struct pv_err *err)
{
    (void)row;
    (void)err;
    ++*(size_t *)ctx;
    return 0;
}

static void list(const char *what, const char *fields, enum model_view view, unsigned sort,
                 const char *filter, unsigned rounds, unsigned pages)
{
    struct store_sort by = { (uint16_t)sort, false };
    struct store_position after = { .len = 0 };
    const struct filter *f = NULL;
    struct store_query q = {
        .limit = 100, .sort = &by, .nsort = sort < UINT16_MAX, .after = &after
    };
    struct pv_err err = { 0 };
    size_t n = 0;
    double cpu = 0;

    check(model_shape_make(model_kind(PV_KIND_vm), fields, view, arena, &q.shape, &err), &err);
    if (filter)
        check(filter_parse(model_kind(PV_KIND_vm), filter, 0, arena, &f, &err), &err);
    q.filter = f;
    for (unsigned i = 0; i <= rounds; i++) {
        if (i == 1)
            cpu = process_ms();
        after.len = 0;
        for (unsigned p = 0; p < pages; p++) {
            struct store_position last;

            check(store_list(store, &q, count_row, &n, &last, &err), &err);
            after = last;
        }
    }
    printf("%-52s %8.3f ms CPU (%zu rows)\n", what, (process_ms() - cpu) / rounds / pages,
           n / (rounds + 1));
}

static void get_one(void)
{
    const struct model_shape *shape;
    struct arena *a = arena_new(1u << 16, 1u << 24);
    struct pv_err err = { 0 };
    double cpu = process_ms();

    check(model_shape_make(model_kind(PV_KIND_vm), NULL, MODEL_VIEW_FULL, arena, &shape, &err),
          &err);
    for (unsigned i = 0; i < 5000; i++) {
        struct model_row *row;

        arena_reset(a);
        check(store_row_get(store, shape, &vms[(i * 7919) % nvms], a, &row, &err), &err);
    }
    printf("%-52s %8.1f us CPU\n", "one VM with everything by id",
           (process_ms() - cpu) / 5000 * 1000);
    arena_free(a);
}

static void search(const char *text)
{
    struct arena *a = arena_new(1u << 16, 1u << 24);
    struct store_hit *hits;
    struct pv_err err = { 0 };
    double cpu = process_ms();
    size_t n = 0;

    for (unsigned i = 0; i < 100; i++) {
        arena_reset(a);
        check(store_search(store, text, NULL, 0, NULL, 20, a, &hits, &n, &err), &err);
    }
    printf("search %-45s %8.3f ms CPU (%zu hits)\n", text, (process_ms() - cpu) / 100, n);
    arena_free(a);
}

static int touch(struct store_tx *tx, void *arg, struct pv_err *err)
{
    static const uint16_t fields[] = { F(vm, power_state), F(vm, version), F(vm, updated_at) };
    struct arena *a = tx_arena(tx);
    int rc = PV_OK;

    (void)arg;
    for (unsigned i = 0; i < 250 && rc == PV_OK; i++) {
        struct model_row *row;

        rc = tx_rows_get(tx, PV_KIND_vm, &vms[i * (nvms / 250)], 1, false, a, &row, err);
        if (rc == PV_OK)
            rc = tx_row_update(tx, row, fields, PV_COUNT(fields), err);
    }
    return rc;
}

/* The database's files, and the folder they were in. */
static bool remove_files(const char *path, const char *dir)
{
    static const char *const suffixes[] = { "", "-wal", "-shm" };
    char name[700];

    for (size_t i = 0; i < PV_COUNT(suffixes); i++) {
        snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
        unlink(name);
    }
    return rmdir(dir) == 0;
}

int main(int argc, char **argv)
{
    char dir[512], path[600];
    struct store_config config = { .path = path };
    struct pv_err err = { 0 };
    double cpu = 0;

    log_open("db_bench", PV_LOG_WARN);
    nvms = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 25000;
    snprintf(dir, sizeof(dir), "%s/polyvisor-bench-XXXXXX", argc > 2 ? argv[2] : "/tmp");
    if (nvms < 250 || !mkdtemp(dir))
        return 1;
    snprintf(path, sizeof(path), "%s/db", dir);
    arena = arena_new(1u << 20, 1u << 30);
    vms = calloc(nvms, sizeof(*vms));
    check(store_open(&config, &store, &err), &err);
    provider = row_new(arena, PV_KIND_provider);
    model_set_text(provider, F(provider, name), "vc");
    datastore = native(arena, PV_KIND_datastore, "ds");
    model_set_text(datastore, F(datastore, name), "datastore1");
    network = native(arena, PV_KIND_network, "net");
    model_set_text(network, F(network, name), "VM Network");
    for (int i = 0; i < HOSTS; i++) {
        hosts[i] = native(arena, PV_KIND_host, arena_printf(arena, "host-%d", i));
        model_set_text(hosts[i], F(host, name), arena_printf(arena, "esx%03d.example.com", i));
    }
    import();
    cpu = process_ms();
    check(store_write(store, touch, NULL, &err), &err);
    printf("%-52s %8.1f us CPU\n", "one VM read and updated, in a group",
           (process_ms() - cpu) / 250 * 1000);
    get_one();
    list("page of 100, everything with children, by name", NULL, MODEL_VIEW_FULL, F(vm, name), NULL,
         20, 20);
    list("page of 100, summary, by name", NULL, MODEL_VIEW_SUMMARY, F(vm, name), NULL, 20, 20);
    list("page of 100, six fields, by name", "id,name,power_state,host,cpu.count,memory.bytes",
         MODEL_VIEW_SUMMARY, F(vm, name), NULL, 20, 20);
    list("page of 100, six fields, oldest first", "id,name,power_state,host,cpu.count,memory.bytes",
         MODEL_VIEW_SUMMARY, UINT16_MAX, NULL, 20, 20);
    list("page of 100, six fields, by power state",
         "id,name,power_state,host,cpu.count,memory.bytes", MODEL_VIEW_SUMMARY, F(vm, power_state),
         NULL, 20, 20);
    list("page of 100, sorted by a field without index", "id,name", MODEL_VIEW_SUMMARY,
         F(vm, guest_hostname), NULL, 5, 2);
    list("page of 100, sorted by used storage", "id,name", MODEL_VIEW_SUMMARY,
         F(vm, storage_used_bytes), NULL, 5, 2);
    list("page of 100, sorted by host's name", "id,name", MODEL_VIEW_SUMMARY, F(vm, host), NULL, 5,
         2);
    list("power:running memory>=8GiB, by name", "id,name", MODEL_VIEW_SUMMARY, F(vm, name),
         "power:running memory>=8GiB", 20, 2);
    list("host:esx001.example.com, by name", "id,name", MODEL_VIEW_SUMMARY, F(vm, name),
         "host:esx001.example.com", 20, 1);
    list("free word, by name", "id,name", MODEL_VIEW_SUMMARY, F(vm, name), "1234", 20, 1);
    list("disks.capacity_bytes>=40GiB, by name", "id,name", MODEL_VIEW_SUMMARY, F(vm, name),
         "disks.capacity_bytes>=40GiB", 5, 1);
    search("web-01234");
    search("host1234.example");
    search("web");
    search("10.0.48.57");
    search("we 12");
    store_close(store);
    arena_free(arena);
    free(vms);
    return remove_files(path, dir) ? 0 : 1;
}
