/* SPDX-License-Identifier: Apache-2.0 */
/* Processors, memory, firmware, start and stop with the host, notes, name. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <polyvisor/str.h>

#include "drivers/wmi/op.h"
#include "drivers/wmi/op_modify.h"

#define MB UINT64_C(1048576)
#define FULL_SHARE UINT64_C(100000) /* a whole processor */
#define LEAST_DYNAMIC_MB UINT64_C(512)
#define NO_LIMIT_MB UINT64_C(1048576)

static int not_here(struct op *o, const char *member, const char *why, struct pv_err *err)
{
    int rc = pv_fail(err, PV_ENOTSUP, "%s %s: %s: %s", o->def->verb, o->name, member, why);

    pv_err_pointer(err, "/%s", member);
    return rc;
}

static int first_of(struct op *o, const struct cim_class *cls, struct cim_instance **out,
                    struct pv_err *err)
{
    struct cim_list list = { 0 };
    int rc;

    *out = NULL;
    if (!o->vm[0])
        return PV_OK; /* a dry run of making one */
    rc = op_list(o, cls, o->vm, &list, err);
    if (rc)
        return rc;
    if (list.count == 0)
        return pv_fail(err, PV_EIO, "%s %s: the host shows no %s of it", o->def->verb, o->name,
                       cls->name);
    *out = list.items[0];
    return PV_OK;
}

/* Minimal instance for changing what is there. */
static struct cim_instance *change_of(struct op *o, const struct cim_class *cls,
                                      const struct cim_instance *have)
{
    struct cim_instance *want = cim_new(o->a, cls);
    const struct cim_prop *p = cim_prop_find(cls, "InstanceID");
    const char *id = have ? cim_str(have, (struct cim_p_str){ p }) : NULL;

    cim_set_str(want, (struct cim_p_str){ p }, id ? id : "(new)");
    return want;
}

static bool anything(const struct cim_instance *want)
{
    for (unsigned i = 0; want && i < want->cls->nprops; i++)
        if (want->values[i].there && strcmp(want->cls->props[i].name, "InstanceID") != 0)
            return true;
    return false;
}

static int change(struct op *o, const char *key, struct cim_instance *want,
                  const struct cim_instance *have, const char *what, struct pv_err *err)
{
    return anything(want) ? op_modify(o, key, want, have, op_what(o, what, o->name), err) : PV_OK;
}

/* ------------------------------------------------------------------ processors */

static int host_mhz(struct op *o, uint64_t *mhz, struct pv_err *err)
{
    struct wsman_query q = { .cls = CIM(Win32_Processor) };
    struct cim_instance *cpu = NULL;
    int rc = wsman_first(o->w->client, &o->c, &q, o->a, &cpu, err);

    if (rc)
        return rc;
    *mhz = cim_uint(cpu, P(Win32_Processor, MaxClockSpeed));
    return *mhz ? PV_OK : pv_fail(err, PV_EIO, "the host does not say how fast its processors are");
}

/* Megahertz of the whole VM as the share of each of its processors, in thousandths of a percent. */
static uint64_t share(uint64_t mhz, uint64_t count, uint64_t host)
{
    uint64_t part = (mhz * FULL_SHARE + count * host / 2) / (count * host);

    return part > FULL_SHARE ? FULL_SHARE : part;
}

static int apply_shares(struct op *o, const json_t *cpu, uint64_t count, struct cim_instance *want,
                        struct pv_err *err)
{
    const json_t *limit = op_member(cpu, "limit_mhz");
    uint64_t mhz, host;
    int rc;

    if (json_is_null(limit))
        cim_set_uint(want, P(Msvm_ProcessorSettingData, Limit), FULL_SHARE);
    if (!op_member(cpu, "reservation_mhz") && !json_is_integer(limit))
        return PV_OK;
    rc = host_mhz(o, &host, err);
    if (rc)
        return rc;
    if (op_member_u64(cpu, "reservation_mhz", &mhz))
        cim_set_uint(want, P(Msvm_ProcessorSettingData, Reservation), share(mhz, count, host));
    if (op_member_u64(cpu, "limit_mhz", &mhz))
        cim_set_uint(want, P(Msvm_ProcessorSettingData, Limit), share(mhz, count, host));
    return PV_OK;
}

static int apply_cpu(struct op *o, const json_t *cpu, struct pv_err *err)
{
    struct cim_instance *have = NULL, *want;
    uint64_t n, count = 1;
    int rc;

    if (!json_is_object(cpu))
        return PV_OK;
    if (op_member(cpu, "cores_per_socket"))
        return not_here(o, "cpu/cores_per_socket",
                        "Hyper-V derives it from the number of processors", err);
    if (json_is_true(op_member(cpu, "hot_add")))
        return not_here(o, "cpu/hot_add", "Hyper-V cannot add processors to a VM that runs", err);
    rc = first_of(o, CIM(Msvm_ProcessorSettingData), &have, err);
    if (rc)
        return rc;
    want = change_of(o, CIM(Msvm_ProcessorSettingData), have);
    if (have)
        count = cim_uint(have, P(Msvm_ProcessorSettingData, VirtualQuantity));
    if (op_member_u64(cpu, "count", &n)) {
        count = n;
        cim_set_uint(want, P(Msvm_ProcessorSettingData, VirtualQuantity), n);
    }
    if (op_member_u64(cpu, "threads_per_core", &n))
        cim_set_uint(want, P(Msvm_ProcessorSettingData, HwThreadsPerCore), n);
    if (op_member_u64(cpu, "weight", &n)) {
        if (n > 10000)
            return pv_fail(err, PV_EINVAL, "cpu.weight: Hyper-V knows weights of 1 to 10000");
        cim_set_uint(want, P(Msvm_ProcessorSettingData, Weight), n);
    }
    if (op_member(cpu, "nested"))
        cim_set_bool(want, P(Msvm_ProcessorSettingData, ExposeVirtualizationExtensions),
                     json_is_true(op_member(cpu, "nested")));
    rc = apply_shares(o, cpu, count ? count : 1, want, err);
    return rc ? rc : change(o, "cpu", want, have, "changing the processors of", err);
}

/* ------------------------------------------------------------------ memory */

struct memory {
    bool dynamic;
    uint64_t start, least, most; /* MB */
};

/* Whole megabytes, and even: odd ones are refused with a code that does not say why. */
static int megabytes(const json_t *memory, const char *member, uint64_t *mb, bool *given,
                     struct pv_err *err)
{
    uint64_t bytes;

    *given = op_member_u64(memory, member, &bytes);
    if (!*given)
        return PV_OK;
    if (bytes % (2 * MB) != 0) {
        int rc = pv_fail(err, PV_EINVAL, "memory.%s: Hyper-V takes multiples of 2 MiB", member);

        pv_err_pointer(err, "/memory/%s", member);
        return rc;
    }
    *mb = bytes / MB;
    return PV_OK;
}

static int plan_memory(const json_t *memory, struct memory *m, bool *dirty, struct pv_err *err)
{
    const json_t *dynamic = op_member(memory, "dynamic");
    bool had_dynamic = m->dynamic, start, least, most;
    int rc = megabytes(memory, "bytes", &m->start, &start, err);

    if (json_is_boolean(dynamic))
        m->dynamic = json_is_true(dynamic);
    if (rc == PV_OK)
        rc = megabytes(memory, "min_bytes", &m->least, &least, err);
    if (rc == PV_OK)
        rc = megabytes(memory, "max_bytes", &m->most, &most, err);
    if (rc)
        return rc;
    *dirty = start || least || most || m->dynamic != had_dynamic;
    if (!m->dynamic) {
        if (least || most)
            return pv_fail(err, PV_EINVAL,
                           "memory.min_bytes and max_bytes are for dynamic memory; set dynamic");
        m->least = m->most = m->start;
        return PV_OK;
    }
    if (!had_dynamic && !least)
        m->least = m->start < LEAST_DYNAMIC_MB ? m->start : LEAST_DYNAMIC_MB;
    if (!had_dynamic && !most)
        m->most = m->start > NO_LIMIT_MB ? m->start : NO_LIMIT_MB;
    /* What was not named follows, what was named has to fit. */
    if (!least && m->least > m->start)
        m->least = m->start;
    if (!most && m->most < m->start)
        m->most = m->start;
    if (m->least > m->start || m->start > m->most)
        return pv_fail(err, PV_EINVAL,
                       "memory: min_bytes, bytes and max_bytes have to be in this order");
    return PV_OK;
}

static int apply_memory(struct op *o, const json_t *memory, struct pv_err *err)
{
    struct cim_instance *have = NULL, *want;
    struct memory m = { .start = 1024, .least = 512, .most = NO_LIMIT_MB };
    uint64_t n;
    bool dirty = false;
    int rc;

    if (!json_is_object(memory))
        return PV_OK;
    if (op_member(memory, "reservation_bytes") || op_member(memory, "limit_bytes"))
        return not_here(
            o, "memory",
            "reservation_bytes and limit_bytes are vSphere's; use min_bytes and max_bytes", err);
    rc = first_of(o, CIM(Msvm_MemorySettingData), &have, err);
    if (rc)
        return rc;
    want = change_of(o, CIM(Msvm_MemorySettingData), have);
    if (have) {
        m.dynamic = cim_bool(have, P(Msvm_MemorySettingData, DynamicMemoryEnabled));
        m.start = cim_uint(have, P(Msvm_MemorySettingData, VirtualQuantity));
        m.least = cim_uint(have, P(Msvm_MemorySettingData, Reservation));
        m.most = cim_uint(have, P(Msvm_MemorySettingData, Limit));
    }
    rc = plan_memory(memory, &m, &dirty, err);
    if (rc)
        return rc;
    if (dirty) {
        cim_set_bool(want, P(Msvm_MemorySettingData, DynamicMemoryEnabled), m.dynamic);
        cim_set_uint(want, P(Msvm_MemorySettingData, VirtualQuantity), m.start);
        cim_set_uint(want, P(Msvm_MemorySettingData, Reservation), m.least);
        cim_set_uint(want, P(Msvm_MemorySettingData, Limit), m.most);
    }
    if (op_member_u64(memory, "buffer_pct", &n))
        cim_set_uint(want, P(Msvm_MemorySettingData, TargetMemoryBuffer), n);
    if (op_member_u64(memory, "weight", &n)) {
        if (n > 10000)
            return pv_fail(err, PV_EINVAL, "memory.weight: Hyper-V knows weights of 0 to 10000");
        cim_set_uint(want, P(Msvm_MemorySettingData, Weight), n);
    }
    return change(o, "memory", want, have, "changing the memory of", err);
}

/* ------------------------------------------------------------------ settings of the VM itself */

static const struct {
    const char *name, *guid;
} templates[] = {
    { "MicrosoftWindows", "1734C6E8-3154-4DDA-BA5F-A874CC483422" },
    { "MicrosoftUEFICertificateAuthority", "272E7447-90A4-4563-A4B9-8E4AB00526CE" },
    { "OpenSourceShieldedVM", "4292AE2B-EE2C-42B5-A969-DD8F8689F6F3" },
};

static int put_secure_boot(struct op *o, const json_t *args, struct cim_instance *want,
                           struct pv_err *err)
{
    const json_t *on = op_member(args, "secure_boot.on");
    const char *name = op_member_str(args, "secure_boot.template");
    char guid[40];

    if (json_is_boolean(on))
        cim_set_bool(want, P(Msvm_VirtualSystemSettingData, SecureBootEnabled), json_is_true(on));
    if (!name)
        return PV_OK;
    for (size_t i = 0; i < PV_COUNT(templates); i++) {
        if (strcasecmp(templates[i].name, name) != 0)
            continue;
        cim_set_str(want, P(Msvm_VirtualSystemSettingData, SecureBootTemplateId),
                    templates[i].guid);
        return PV_OK;
    }
    if (!op_guid(name, guid))
        return not_here(o, "secure_boot/template", "the host knows no such template", err);
    cim_set_str(want, P(Msvm_VirtualSystemSettingData, SecureBootTemplateId), guid);
    return PV_OK;
}

/* A word of an enum as Hyper-V's number; 0: it has none. */
static unsigned code_of(const char *word, const char *const words[], const unsigned codes[])
{
    for (unsigned i = 0; words[i]; i++)
        if (strcmp(words[i], word) == 0)
            return codes[i];
    return 0;
}

static int put_autostart(struct op *o, const json_t *args, struct cim_instance *want,
                         struct pv_err *err)
{
    static const char *const starts[] = { "never", "if_running", "always", NULL };
    static const char *const stops[] = { "stop", "suspend", "shutdown", NULL };
    static const unsigned codes[] = { 2, 3, 4 };
    const char *start = op_member_str(args, "autostart.start");
    const char *stop = op_member_str(args, "autostart.stop");
    uint64_t delay;

    if (json_is_integer(op_member(args, "autostart.order")))
        return not_here(o, "autostart/order", "Hyper-V has no order; use delay_s", err);
    if (start && !code_of(start, starts, codes))
        return not_here(o, "autostart/start", "Hyper-V has never, if_running and always", err);
    if (stop && !code_of(stop, stops, codes))
        return not_here(o, "autostart/stop", "Hyper-V has stop, suspend and shutdown", err);
    if (start)
        cim_set_uint(want, P(Msvm_VirtualSystemSettingData, AutomaticStartupAction),
                     code_of(start, starts, codes));
    if (stop)
        cim_set_uint(want, P(Msvm_VirtualSystemSettingData, AutomaticShutdownAction),
                     code_of(stop, stops, codes));
    if (op_member_u64(args, "autostart.delay_s", &delay))
        cim_set_interval(want, P(Msvm_VirtualSystemSettingData, AutomaticStartupActionDelay),
                         (int64_t)delay * 1000);
    return PV_OK;
}

static int put_snapshots(struct op *o, const json_t *args, struct cim_instance *want,
                         struct pv_err *err)
{
    static const char *const modes[] = { "disabled", "production", "production_only", "standard",
                                         NULL };
    static const unsigned codes[] = { 2, 3, 4, 5 };
    const char *mode = op_member_str(args, "snapshots.mode");
    const json_t *automatic = op_member(args, "snapshots.automatic");

    if (mode && !code_of(mode, modes, codes))
        return not_here(o, "snapshots/mode", "no such kind of checkpoint", err);
    if (mode)
        cim_set_uint(want, P(Msvm_VirtualSystemSettingData, UserSnapshotType),
                     code_of(mode, modes, codes));
    if (json_is_boolean(automatic))
        cim_set_bool(want, P(Msvm_VirtualSystemSettingData, AutomaticSnapshotsEnabled),
                     json_is_true(automatic));
    return PV_OK;
}

static bool is_generation_2(const struct cim_instance *settings)
{
    const char *type = cim_str(settings, P(Msvm_VirtualSystemSettingData, VirtualSystemSubType));

    return type && str_ends(type, ":2");
}

static int check_firmware(struct op *o, const json_t *args, const struct cim_instance *have,
                          struct pv_err *err)
{
    const char *firmware = op_member_str(args, "firmware");
    bool gen2 = have ? is_generation_2(have) : !firmware || strcmp(firmware, "uefi") == 0;

    if (have && firmware && gen2 != (strcmp(firmware, "uefi") == 0))
        return not_here(o, "firmware", "the generation of a VM cannot be changed; make a new one",
                        err);
    if (!gen2 && json_is_true(op_member(args, "secure_boot.on")))
        return not_here(o, "secure_boot", "generation 1 has no Secure Boot", err);
    if (!gen2 && json_is_true(op_member(args, "tpm")))
        return not_here(o, "tpm", "generation 1 has no virtual TPM", err);
    return PV_OK;
}

static int apply_system(struct op *o, const json_t *args, struct pv_err *err)
{
    struct cim_instance *have = NULL, *want;
    const json_t *annotation = op_member(args, "annotation");
    int rc = PV_OK;

    if (op_member(args, "guest.os_id"))
        return not_here(o, "guest/os_id", "Hyper-V does not keep what runs in a VM", err);
    if (o->vm[0])
        rc = op_settings_get(o, o->vm, &have, err);
    if (rc == PV_OK)
        rc = check_firmware(o, args, have, err);
    if (rc)
        return rc;
    want = change_of(o, CIM(Msvm_VirtualSystemSettingData), have);
    if (!have || is_generation_2(have))
        rc = put_secure_boot(o, args, want, err);
    if (rc == PV_OK)
        rc = put_autostart(o, args, want, err);
    if (rc == PV_OK)
        rc = put_snapshots(o, args, want, err);
    if (rc)
        return rc;
    if (annotation)
        cim_add_str(want, P(Msvm_VirtualSystemSettingData, Notes),
                    json_is_string(annotation) ? json_string_value(annotation) : "");
    return change(o, "settings", want, have, "changing the settings of", err);
}

/* ------------------------------------------------------------------ virtual TPM */

/* Without a protector for its key a TPM cannot be turned on; only the host can make one. */
static int check_protector(struct op *o, const struct cim_instance *have, struct pv_err *err)
{
    struct cim_instance *in = cim_call(o->a, M(Msvm_SecurityService, GetKeyProtector)), *out = NULL;
    const struct cim_ref *service = NULL;
    uint32_t value = 0;
    size_t len = 0;
    int rc = op_service(o, CIM(Msvm_SecurityService), &service, err);

    if (rc)
        return rc;
    cim_set_emb(in, A(Msvm_SecurityService, GetKeyProtector, SecuritySettingData), have);
    rc = wsman_invoke(o->w->client, &o->c, service, in, o->a, &out, err);
    if (rc == PV_ENOTSUP || rc == PV_EINVAL)
        return PV_OK; /* an older host: turning it on will say */
    if (rc)
        return rc;
    if (!cim_return_value(out, &value) || value != 0)
        return PV_OK;
    (void)cim_octets(out, A(Msvm_SecurityService, GetKeyProtector, KeyProtector), &len, o->a);
    if (len > 4)
        return PV_OK;
    rc = pv_fail(err, PV_ESTATE, "%s %s: tpm: the VM has no key protector yet", o->def->verb,
                 o->name);
    pv_err_needs(err, "key protector");
    pv_err_remedy(err,
                  "Once, on the host: Set-VMKeyProtector -VMName '%.80s' -NewLocalKeyProtector",
                  o->name);
    return rc;
}

static int apply_tpm(struct op *o, const json_t *args, struct pv_err *err)
{
    const json_t *tpm = op_member(args, "tpm");
    struct cim_instance *have = NULL, *want;
    int rc;

    if (!json_is_boolean(tpm))
        return PV_OK;
    rc = first_of(o, CIM(Msvm_SecuritySettingData), &have, err);
    if (rc)
        return json_is_true(tpm) ? rc : PV_OK; /* generation 1 has none, and no settings of one */
    if (json_is_true(tpm) && have && !cim_bool(have, P(Msvm_SecuritySettingData, TpmEnabled))) {
        struct cim_instance *named = change_of(o, CIM(Msvm_SecuritySettingData), have);

        rc = check_protector(o, named, err);
        if (rc)
            return rc;
    }
    want = change_of(o, CIM(Msvm_SecuritySettingData), have);
    cim_set_bool(want, P(Msvm_SecuritySettingData, TpmEnabled), json_is_true(tpm));
    return change(o, "tpm", want, have, "changing the TPM of", err);
}

/* ------------------------------------------------------------------ all of it */

int op_config_apply(struct op *o, const json_t *args, struct pv_err *err)
{
    int rc = apply_system(o, args, err);

    if (rc == PV_OK)
        rc = apply_cpu(o, op_member(args, "cpu"), err);
    if (rc == PV_OK)
        rc = apply_memory(o, op_member(args, "memory"), err);
    if (rc == PV_OK)
        rc = apply_tpm(o, args, err);
    return rc;
}

static int run_reconfigure(struct op *o, struct pv_err *err)
{
    static const char *const parts[] = { "cpu", "memory", "tpm", "boot" };
    unsigned state;
    int rc = o->resumed ? PV_OK : op_vm_stable(o, &state, err);

    o->steps = 1;
    for (size_t i = 0; i < PV_COUNT(parts); i++)
        o->steps += op_arg(o, parts[i]) != NULL;
    if (rc == PV_OK)
        rc = op_config_apply(o, o->args, err);
    if (rc == PV_OK && op_arg(o, "boot.order"))
        rc = op_boot_apply(o, op_arg(o, "boot.order"), err);
    return rc;
}

static int run_rename(struct op *o, struct pv_err *err)
{
    struct cim_instance *have = NULL, *want;
    int rc = op_settings_get(o, o->vm, &have, err);

    if (rc)
        return rc;
    want = change_of(o, CIM(Msvm_VirtualSystemSettingData), have);
    cim_set_str(want, P(Msvm_VirtualSystemSettingData, ElementName), op_arg_str(o, "name"));
    /* Case alone is a difference, too, though not to the comparison. */
    if (!str_eq(cim_str(have, P(Msvm_VirtualSystemSettingData, ElementName)),
                op_arg_str(o, "name")) &&
        op_same(cim_str(have, P(Msvm_VirtualSystemSettingData, ElementName)),
                op_arg_str(o, "name")))
        have = NULL;
    return op_modify(o, "name", want, have, op_what(o, o->def->verb, o->name), err);
}

const struct op_def op_config_defs[] = {
    { "vm.reconfigure", "reconfiguring", run_reconfigure, 0, 0 },
    { "vm.rename", "renaming", run_rename, 0, 0 },
    { NULL, NULL, NULL, 0, 0 },
};
