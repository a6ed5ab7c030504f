/* SPDX-License-Identifier: Apache-2.0 */
/* Many threads share one WS-Management client: listings, methods, counts, a subscription. Meant for
 * TSan. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/buf.h>
#include <polyvisor/err.h>
#include <polyvisor/httpc.h>
#include <polyvisor/xml.h>

#include "tests/unit/https_server.h"

#include "drivers/wmi/config.h"
#include "drivers/wmi/wsman.h"

#define THREADS 8
#define ROUNDS 60
#define V2 "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/virtualization/v2/"

static struct test_server server;
static struct wsman *client;
static struct pv_host host;
static atomic_uint at_once, most_at_once;

static void must(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "failed: %s\n", what);
    exit(1);
}

static int secret(void *ctx, const char *name, char *buf, size_t cap)
{
    (void)ctx;
    (void)name;
    return str_copy(buf, cap, "secret") ? PV_OK : PV_EINVAL;
}

static const char *content(const char *request)
{
    static const char list[] = "<n:EnumerateResponse><w:Items><p:Msvm_ComputerSystem xmlns:p=\"" V2
                               "Msvm_ComputerSystem\">"
                               "<p:Name>a</p:Name></p:Msvm_ComputerSystem></"
                               "w:Items><w:EndOfSequence/></n:EnumerateResponse>";

    if (strstr(request, "<e:Subscribe>"))
        return "<e:SubscribeResponse><n:EnumerationContext>c</n:EnumerationContext></"
               "e:SubscribeResponse>";
    if (strstr(request, "<n:Pull>"))
        return "<n:PullResponse><n:EnumerationContext>c</n:EnumerationContext><n:Items/></"
               "n:PullResponse>";
    /* Some are told to come again with less. */
    if (strstr(request, "<w:MaxElements>200<"))
        return "<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>w:EncodingLimit</"
               "s:Value>"
               "</s:Subcode></s:Code></s:Fault>";
    return list;
}

static bool answer(struct test_request *r)
{
    unsigned now = atomic_fetch_add(&at_once, 1) + 1, most = atomic_load(&most_at_once);
    struct buf text;

    while (now > most && !atomic_compare_exchange_weak(&most_at_once, &most, now))
        ;
    buf_init(&text, 1u << 16);
    buf_printf(&text,
               "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" "
               "xmlns:w=\"http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd\" "
               "xmlns:n=\"http://schemas.xmlsoap.org/ws/2004/09/enumeration\" "
               "xmlns:e=\"http://schemas.xmlsoap.org/ws/2004/08/eventing\"><s:Body>%s</s:Body></"
               "s:Envelope>",
               content(r->body));
    test_reply_body(r, "Content-Type: application/soap+xml\r\n", text.data, text.len);
    buf_free(&text);
    atomic_fetch_sub(&at_once, 1);
    return true;
}

static int no_event(void *ctx, enum wsman_event event, struct cim_instance *target,
                    struct pv_err *err)
{
    (void)ctx;
    (void)event;
    (void)target;
    (void)err;
    return PV_OK;
}

static void *work(void *arg)
{
    struct call c = { .host = &host, .number = (uint64_t)(uintptr_t)arg };
    struct wsman_query q = { .cls = CIM(Msvm_ComputerSystem) };
    struct wsman_subscription *s = NULL;
    struct arena *a = arena_new(65536, 16u << 20);
    struct pv_err err = { 0 };
    struct cim_list list;
    char how[16];

    if ((uintptr_t)arg == 1)
        must(wsman_subscribe(client, &c, CIM_NS_VIRTUALIZATION, "x", &s, &err) == PV_OK,
             err.message);
    for (int i = 0; i < ROUNDS; i++) {
        arena_reset(a);
        must(wsman_list(client, &c, &q, a, &list, &err) == PV_OK, err.message);
        must(list.count == 1, "one system");
        if (s)
            must(wsman_pull(client, &c, s, 500, no_event, NULL, &err) == PV_OK, err.message);
        wsman_mechanism(client, how);
        (void)wsman_requests(client);
        (void)wsman_filters(client, CIM_NS_VIRTUALIZATION, i & 1);
    }
    wsman_unsubscribe(client, s);
    arena_free(a);
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    struct pv_err err = { 0 };
    struct config config;
    char text[256];

    must(httpc_global_init(&err) == PV_OK, "curl");
    xml_global_init();
    test_server_start(&server, answer, false);
    host = (struct pv_host){ .size = sizeof(host), .secret = secret };
    snprintf(text, sizeof(text),
             "{\"endpoint\":\"%s\",\"username\":\"u\",\"settings\":{\"auth\":\"basic\","
             "\"allow_unencrypted\":true}}",
             server.url);
    must(config_parse(text, &config, &err) == PV_OK, err.message);
    must(wsman_new(&host, &config, &client, &err) == PV_OK, err.message);
    for (uintptr_t i = 0; i < THREADS; i++)
        must(pthread_create(&threads[i], NULL, work, (void *)(i + 1)) == 0, "a thread");
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    /* Four of the pool, one of the subscription. */
    must(atomic_load(&most_at_once) <= 5, "at most four requests at once and a pull");
    wsman_free(client);
    config_free(&config);
    test_server_stop(&server);
    xml_global_cleanup();
    httpc_global_cleanup();
    printf("%llu requests at most %u at once\n", (unsigned long long)server.requests,
           atomic_load(&most_at_once));
    return 0;
}
