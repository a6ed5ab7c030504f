/* SPDX-License-Identifier: Apache-2.0 */
/* Providers: what is checked, the states of their connections, and our own fields, folders and tags. */
#include "tests/unit/core_fake.h"

static struct world *w;

static void set_up(void)
{
    w = world_new(0, 0);
}

static void tear_down(void)
{
    world_free(w);
}

TestSuite(providers, .init = set_up, .fini = tear_down, .timeout = 300);

static int create(const char *text, struct pv_id *id, struct pv_err *err)
{
    json_t *body = json_loads(text, 0, NULL);
    int rc;

    cr_assert(body, "%s", text);
    id_make(id);
    rc = core_provider_create(w->core, &someone, id, body, NULL, false, NULL, err);
    json_decref(body);
    return rc;
}

static void refused(const char *text, const char *problem, const char *pointer)
{
    struct pv_err err = { 0 };
    struct pv_id id;

    cr_expect_neq(create(text, &id, &err), PV_OK, "%s", text);
    cr_expect_str_eq(pv_err_problem(&err)->code, problem, "%s", text);
    cr_expect_str_eq(err.pointer, pointer, "%s", text);
    cr_expect_not(row_of(w, PV_KIND_provider, &id), "half stored: %s", text);
}

Test(providers, bad_descriptions_are_refused_with_a_pointer_and_nothing_is_stored)
{
    refused("{\"name\":\"a\",\"driver\":\"nosuch\"}", "driver-unknown", "/driver");
    refused("{\"name\":\"a\",\"driver\":\"bad\"}", "driver-broken", "/driver");
    refused("{\"name\":\"a\"}", "validation-failed", "/driver");
    refused("{\"driver\":\"fake\"}", "validation-failed", "/name");
    refused("{\"name\":\"a\",\"driver\":\"fake\",\"settings\":{\"sise\":1}}", "validation-failed", "/settings/sise");
    refused("{\"name\":\"a\",\"driver\":\"fake\",\"settings\":{\"size\":\"1\"}}", "validation-failed", "/settings/size");
    refused("{\"name\":\"a\",\"driver\":\"fake\",\"settings\":{\"size\":10}}", "validation-failed", "/settings/size");
    refused("{\"name\":\"a\",\"driver\":\"fake\",\"settings\":{\"family\":\"xen\"}}", "validation-failed",
            "/settings/family");
    refused("{\"name\":\"a\",\"driver\":\"fake\",\"tls\":{\"mode\":\"pin\"}}", "validation-failed", "/tls/pins");
    refused("{\"name\":\"a\",\"driver\":\"fake\",\"tls\":{\"mode\":\"pin\",\"pins\":[\"AB\"]}}", "validation-failed",
            "/tls/pins/0");
}

Test(providers, a_name_is_taken_only_once)
{
    add_provider(w, "one", "vmware");
    refused("{\"name\":\"one\",\"driver\":\"fake\"}", "name-taken", "/name");
}

static enum pv_provider_state state_of(const struct pv_id *id)
{
    return (enum pv_provider_state)model_number(row_of(w, PV_KIND_provider, id), F(provider, state));
}

static struct {
    struct pv_id id;
    enum pv_provider_state state;
} wanted;

static bool has_state(const void *arg)
{
    (void)arg;
    return state_of(&wanted.id) == wanted.state;
}

static void await(const struct pv_id *id, enum pv_provider_state state)
{
    wanted.id = *id;
    wanted.state = state;
    cr_assert(eventually(has_state, NULL), "it is %s, not %s", model_enum_text(PV_ENUM_provider_state, state_of(id)),
              model_enum_text(PV_ENUM_provider_state, state));
}

Test(providers, a_provider_is_connected_when_it_lists_and_its_sync_says_so)
{
    struct pv_id id = add_provider(w, "one", "vmware");
    struct driver_session *s = session_of(w, "one");

    cr_expect_eq(state_of(&id), PV_PROVIDER_STATE_PROBING);
    listing_begin(s);
    send_vm(s, "vm-1", NULL, "web", PV_POWER_STATE_OFF);
    listing_end(s);
    cr_expect_eq(state_of(&id), PV_PROVIDER_STATE_CONNECTED);
    cr_expect(strstr(model_text(row_of(w, PV_KIND_provider, &id), F(provider, sync)), "\"objects\":1"));
    cr_expect_not(strstr(model_text(row_of(w, PV_KIND_provider, &id), F(provider, sync)), "\"last_full_at\":null"));
    cr_expect_geq(count_events(w, "provider.state"), 2);
}

Test(providers, facts_of_the_driver_are_stored_and_a_degraded_one_says_why)
{
    struct pv_id id = add_provider(w, "one", "vmware");
    struct driver_session *s = session_of(w, "one");
    struct model_row *row;

    act(s, (struct act_item){ .act = ACT_FACTS, .text = strdup(
        "{\"state\":\"degraded\",\"reason\":\"tags cannot be read\",\"family\":\"hyperv\",\"product\":"
        "{\"name\":\"Test\",\"version\":\"9\",\"build\":7},\"sync\":{\"mode\":\"push\",\"requests_last_full\":12}}") });
    drain(s);
    row = row_of(w, PV_KIND_provider, &id);
    cr_expect_eq(model_number(row, F(provider, state)), PV_PROVIDER_STATE_DEGRADED);
    cr_expect(strstr(model_text(row, F(provider, state_reason)), "tags cannot be read"));
    cr_expect_str_eq(model_text(row, F(provider, product_name)), "Test");
    cr_expect_not(model_get(row, F(provider, product_build))->set, "a number is no text");
    cr_expect_eq(model_number(row, F(provider, family)), PV_FAMILY_HYPERV);
    cr_expect(strstr(model_text(row, F(provider, sync)), "\"requests_last_full\":12"));
    act(s, (struct act_item){ .act = ACT_FACTS, .text = strdup("not json") });
    drain(s);
    act(s, (struct act_item){ .act = ACT_FACTS, .text = strdup("{\"state\":\"connected\"}") });
    drain(s);
    cr_expect_eq(state_of(&id), PV_PROVIDER_STATE_CONNECTED);
    cr_expect_not(model_get(row_of(w, PV_KIND_provider, &id), F(provider, state_reason))->set);
}

static bool two_watches(const void *arg)
{
    (void)arg;
    return count_calls(w, CALLED_WATCH) >= 2;
}

Test(providers, a_lost_connection_is_tried_again_with_the_cursor)
{
    struct pv_id id = add_provider(w, "one", "vmware");
    struct driver_session *s = session_of(w, "one");
    struct called watch;

    listing_begin(s);
    listing_end(s);
    watch = wait_call(w, CALLED_WATCH, "");
    answer(s, watch.number, PV_EOFFLINE, "no route to host", NULL);
    await(&id, PV_PROVIDER_STATE_DISCONNECTED);
    cr_expect(strstr(model_text(row_of(w, PV_KIND_provider, &id), F(provider, state_reason)), "provider-offline"));
    cr_assert(eventually(two_watches, NULL));
    watch = wait_call(w, CALLED_WATCH, "");
    cr_expect_str_eq(watch.cursor, "cursor-1");
    cr_expect_eq(w->fake.opened, 1, "the session is used again");
    changes(session_of(w, "one"));
    await(&id, PV_PROVIDER_STATE_CONNECTED);
}

static void stops_retries(int code, enum pv_provider_state state)
{
    json_t *patch = json_pack("{s:s}", "username", "other");
    struct pv_id id = add_provider(w, "one", "vmware");
    struct driver_session *s = session_of(w, "one");
    struct called watch = wait_call(w, CALLED_WATCH, "");
    struct pv_err err = { 0 };

    answer(s, watch.number, code, "refused", NULL);
    await(&id, state);
    clock_sleep_ms(2500);
    cr_expect_eq(count_calls(w, CALLED_WATCH), 1, "it was tried again");
    world_restart(w);
    clock_sleep_ms(300);
    cr_expect_eq(count_calls(w, CALLED_WATCH), 1, "it was tried again after a restart");
    cr_expect_eq(state_of(&id), state);
    cr_assert_eq(core_provider_change(w->core, &someone, &id, patch, NULL, NULL, &err), PV_OK, "%s", err.message);
    s = session_of(w, "one");
    listing_begin(s);
    listing_end(s);
    cr_expect_eq(state_of(&id), PV_PROVIDER_STATE_CONNECTED);
    json_decref(patch);
}

Test(providers, a_refused_sign_in_stops_the_retries_until_somebody_changes_something)
{
    stops_retries(PV_EAUTH, PV_PROVIDER_STATE_AUTH_FAILED);
}

Test(providers, a_changed_certificate_stops_the_retries_until_somebody_changes_something)
{
    stops_retries(PV_ECERT, PV_PROVIDER_STATE_CERT_CHANGED);
}

Test(providers, a_trusted_certificate_is_pinned_and_used_at_once)
{
    struct pv_id id = add_provider(w, "one", "vmware"), task;
    struct called watch = wait_call(w, CALLED_WATCH, "");
    json_t *params = json_pack("{s:s}", "sha256", "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
    struct core_task_request q = { .operation = model_operation("provider.trust_certificate"),
                                   .kind = PV_KIND_provider, .subject = id, .params = params };
    struct pv_err err = { 0 };

    answer(session_of(w, "one"), watch.number, PV_ECERT, "another certificate", NULL);
    await(&id, PV_PROVIDER_STATE_CERT_CHANGED);
    cr_assert_eq(core_task_submit(w->core, &someone, &q, NULL, &task, NULL, NULL, &err), PV_OK, "%s", err.message);
    session_of(w, "one");
    cr_expect_eq(model_number(row_of(w, PV_KIND_provider, &id), F(provider, tls_mode)), PV_TLS_MODE_PIN);
    cr_expect(strstr(model_text(row_of(w, PV_KIND_provider, &id), F(provider, tls_pins)), "00112233"));
    json_decref(params);
}

Test(providers, a_change_of_notes_does_not_reconnect_and_one_of_the_address_does)
{
    struct pv_id id = add_provider(w, "one", "vmware");
    json_t *notes = json_pack("{s:s}", "notes", "in the cellar");
    json_t *address = json_pack("{s:s}", "endpoint", "fake://other");
    struct driver_session *s = session_of(w, "one");
    struct pv_err err = { 0 };

    cr_assert_eq(core_provider_change(w->core, &someone, &id, notes, NULL, NULL, &err), PV_OK, "%s", err.message);
    clock_sleep_ms(100);
    cr_expect_eq(w->fake.opened, 1);
    cr_assert_eq(core_provider_change(w->core, &someone, &id, address, NULL, NULL, &err), PV_OK, "%s", err.message);
    cr_assert(eventually(two_watches, NULL));
    cr_expect_eq(w->fake.opened, 2);
    json_decref(notes);
    json_decref(address);
    (void)s;
}

static struct pv_id folder(const char *name, const struct pv_id *parent, int expected)
{
    json_t *body = json_pack("{s:s}", "name", name);
    struct pv_err err = { 0 };
    struct pv_id id = { { 0 } };
    char text[PV_ID_TEXT];

    if (parent) {
        model_id_text(PV_KIND_folder, parent, text);
        json_object_set_new(body, "parent", json_string(text));
    }
    cr_assert_eq(core_folder_create(w->core, &someone, body, NULL, &id, &err), expected, "%s", err.message);
    json_decref(body);
    return id;
}

Test(providers, folders_have_a_name_of_their_own_in_their_parent)
{
    struct pv_id top = folder("top", NULL, PV_OK);

    folder("below", &top, PV_OK);
    folder("below", &top, PV_EEXIST);
    folder("below", NULL, PV_OK);
    folder("", NULL, PV_EINVAL);
}

Test(providers, a_folder_cannot_be_moved_into_itself)
{
    struct pv_id top = folder("top", NULL, PV_OK), below = folder("below", &top, PV_OK);
    struct pv_err err = { 0 };
    char text[PV_ID_TEXT];
    json_t *patch;

    model_id_text(PV_KIND_folder, &below, text);
    patch = json_pack("{s:s}", "parent", text);
    cr_expect_eq(core_folder_change(w->core, &someone, &top, patch, NULL, &err), PV_EINVAL);
    cr_expect_str_eq(err.pointer, "/parent");
    json_decref(patch);
}

Test(providers, a_folder_is_deleted_when_it_is_empty)
{
    struct pv_id top = folder("top", NULL, PV_OK), below = folder("below", &top, PV_OK);
    struct pv_err err = { 0 };

    cr_expect_neq(core_folder_delete(w->core, &someone, &top, NULL, &err), PV_OK);
    cr_expect_str_eq(pv_err_problem(&err)->code, "conflict");
    cr_expect_eq(core_folder_delete(w->core, &someone, &below, NULL, &err), PV_OK, "%s", err.message);
    cr_expect_eq(core_folder_delete(w->core, &someone, &top, NULL, &err), PV_OK, "%s", err.message);
}

Test(providers, tags_are_there_once)
{
    json_t *body = json_pack("{s:s}", "name", "env=prod");
    struct pv_err err = { 0 };
    struct pv_id id;

    cr_expect_eq(core_tag_create(w->core, &someone, body, NULL, &id, &err), PV_OK, "%s", err.message);
    cr_expect_eq(core_tag_create(w->core, &someone, body, NULL, &id, &err), PV_EEXIST);
    json_decref(body);
}

static struct {
    pthread_mutex_t lock;
    unsigned calls;
    struct core_subscription *sub;
} own = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void ends_itself(void *ctx, const struct core_event *e)
{
    (void)ctx;
    (void)e;
    pthread_mutex_lock(&own.lock);
    own.calls++;
    pthread_mutex_unlock(&own.lock);
    core_unsubscribe(own.sub);
}

Test(providers, a_subscription_can_end_itself)
{
    struct pv_err err = { 0 };

    cr_assert_eq(core_subscribe(w->core, ends_itself, NULL, &own.sub, &err), PV_OK);
    folder("a", NULL, PV_OK);
    folder("b", NULL, PV_OK);
    pthread_mutex_lock(&own.lock);
    cr_expect_eq(own.calls, 1);
    pthread_mutex_unlock(&own.lock);
}
