/* SPDX-License-Identifier: Apache-2.0 */
/* What a job of the host says, and what it becomes as an error. */
#include <criterion/criterion.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>

#include "drivers/wmi/cim.h"
#include "drivers/wmi/job.h"

static struct arena *a;

static void setup(void)
{
    a = arena_new(16384, 1 << 20);
}

static void teardown(void)
{
    arena_free(a);
}

TestSuite(wmi_op_job, .init = setup, .fini = teardown);

static struct job_view view_of(unsigned state, unsigned code, const char *text)
{
    struct cim_instance *job = cim_new(a, CIM(Msvm_StorageJob));
    struct job_view v;

    cim_set_uint(job, P(Msvm_StorageJob, JobState), state);
    cim_set_uint(job, P(Msvm_StorageJob, ErrorCode), code);
    cim_set_uint(job, P(Msvm_StorageJob, PercentComplete), 42);
    if (text)
        cim_set_str(job, P(Msvm_StorageJob, ErrorDescription), text);
    job_read(job, &v);
    return v;
}

Test(wmi_op_job, states_that_are_not_final_are_running)
{
    static const unsigned running[] = { 2, 3, 4, 5, 6, 11 };

    for (size_t i = 0; i < sizeof(running) / sizeof(running[0]); i++)
        cr_assert_eq(view_of(running[i], 0, NULL).state, JOB_RUNNING, "state %u", running[i]);
}

Test(wmi_op_job, completed_is_success_only_without_an_error_code)
{
    cr_assert_eq(view_of(7, 0, NULL).state, JOB_SUCCEEDED);
    cr_assert_eq(view_of(7, 32768, NULL).state, JOB_FAILED);
}

Test(wmi_op_job, warnings_are_a_success_of_their_own)
{
    cr_assert_eq(view_of(32768, 0, NULL).state, JOB_WARNED);
}

Test(wmi_op_job, terminated_and_killed_are_canceled_and_an_exception_is_a_failure)
{
    cr_assert_eq(view_of(8, 32768, NULL).state, JOB_CANCELED);
    cr_assert_eq(view_of(9, 32768, NULL).state, JOB_CANCELED);
    cr_assert_eq(view_of(10, 32768, NULL).state, JOB_FAILED);
}

Test(wmi_op_job, jobs_of_other_classes_are_read_by_the_same_names)
{
    struct job_view v = view_of(10, 32773, "The parameter is incorrect.");

    cr_assert_eq(v.percent, 42);
    cr_assert_eq(v.code, 32773);
    cr_assert_str_eq(v.text, "The parameter is incorrect.");
}

Test(wmi_op_job, a_percentage_beyond_hundred_is_cut)
{
    struct cim_instance *job = cim_new(a, CIM(Msvm_ConcreteJob));
    struct job_view v;

    cim_set_uint(job, P(Msvm_ConcreteJob, PercentComplete), 4000);
    job_read(job, &v);
    cr_assert_eq(v.percent, 100);
}

Test(wmi_op_job, a_failure_carries_our_code_the_hosts_code_and_the_hosts_words)
{
    struct job_view v = view_of(10, 32779, "File 'D:\\x.vhdx' was not found.");
    struct pv_err err = { 0 };

    cr_assert_eq(job_fail(&v, "starting web", &err), PV_ENOENT);
    cr_assert(strstr(err.message, "starting web"));
    cr_assert(strstr(err.message, "'D:\\x.vhdx' was not found"), "%s", err.message);
    cr_assert(strstr(err.native_code, "32779"), "%s", err.native_code);
}

Test(wmi_op_job, a_canceled_job_is_canceled_whatever_code_it_has)
{
    struct job_view v = view_of(8, 32768, "The operation was cancelled.");
    struct pv_err err = { 0 };

    cr_assert_eq(job_fail(&v, "exporting web", &err), PV_ECANCELED);
}

Test(wmi_op_job, a_long_text_of_the_host_is_cut_and_nothing_is_overrun)
{
    char text[4096];
    struct pv_err err = { 0 };
    struct job_view v;

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    v = view_of(10, 32768, text);
    (void)job_fail(&v, "starting web", &err);
    cr_assert_lt(strlen(err.message), sizeof(err.message));
}

Test(wmi_op_job, a_jobs_reference_survives_the_way_through_text)
{
    struct cim_ref *r = cim_ref_new(a, CIM(Msvm_MigrationJob));
    const struct cim_ref *back;
    const char *text;

    cim_ref_add(r, P(Msvm_MigrationJob, InstanceID), "3A50A74A-FD6B-4562-A21F-8100047FEE45");
    text = job_text(a, r);
    cr_assert_str_eq(text, "Msvm_MigrationJob:3A50A74A-FD6B-4562-A21F-8100047FEE45");
    back = job_parse(a, text);
    cr_assert(cim_ref_same(r, back));
}

Test(wmi_op_job, what_is_no_jobs_reference_is_refused)
{
    static const char *const bad[] = { "", ":", "Msvm_ConcreteJob",
                                       "Msvm_ConcreteJob:", "No_SuchClass:1" };

    cr_assert_null(job_parse(a, NULL));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_null(job_parse(a, bad[i]), "'%s'", bad[i]);
}
