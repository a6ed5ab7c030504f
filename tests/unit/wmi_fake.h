/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wmi_fake - a WinRM that answers as the test's script says.
 *
 * The script gets the action's last word ("Get", "Pull", "GetSummaryInformation"),
 * which request with that action this is, and the whole request; it answers the
 * content of s:Body, or one of the special replies. The account is checked by
 * Basic unless `password_wrong`.
 *
 * Threads: the script runs on the server's threads, one at a time.
 */
#pragma once

#include <criterion/criterion.h>

#include <polyvisor/arena.h>
#include <polyvisor/driver.h>
#include <polyvisor/err.h>
#include <polyvisor/httpc.h>

#include "tests/unit/https_server.h"

#include "drivers/wmi/config.h"
#include "drivers/wmi/wsman.h"

#define FAKE_REQUESTS 256

struct fake_reply {
    int status;       /* 0: 200 for answers, 500 for faults */
    const char *body; /* inside s:Body */
    const char *raw;  /* the whole HTTP body instead */
    const char *relates; /* RelatesTo instead of the right one */
    bool cut;         /* close without an answer */
};

static struct {
    struct test_server server;
    struct fake_reply (*script)(const char *action, unsigned nth, const char *request);
    pthread_mutex_t lock;
    char *requests[FAKE_REQUESTS];
    char actions[FAKE_REQUESTS][64];
    unsigned count, refused;
    bool password_wrong;
    _Atomic bool cancelled;
    struct pv_host host;
    struct config config;
    struct wsman *client;
    struct arena *arena;
    struct call call;
} fake;

#define FAKE_ENVELOPE                                                                              \
    "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" "                              \
    "xmlns:a=\"http://schemas.xmlsoap.org/ws/2004/08/addressing\" "                                 \
    "xmlns:w=\"http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd\" "                                   \
    "xmlns:n=\"http://schemas.xmlsoap.org/ws/2004/09/enumeration\" "                                \
    "xmlns:e=\"http://schemas.xmlsoap.org/ws/2004/08/eventing\" "                                   \
    "xmlns:f=\"http://schemas.microsoft.com/wbem/wsman/1/wsmanfault\" "                             \
    "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" "                                      \
    "xmlns:cim=\"http://schemas.dmtf.org/wbem/wscim/1/common\" "                                    \
    "xmlns:p=\"http://schemas.microsoft.com/wbem/wsman/1/wmi/root/virtualization/v2/X\">"

#define FAKE_FAULT(subcode, code)                                                                  \
    "<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>" subcode                     \
    "</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang=\"en-US\">outer words</s:Text>"     \
    "</s:Reason><s:Detail><f:WSManFault Code=\"" code                                              \
    "\" Machine=\"hv\"><f:Message>inner words</f:Message></f:WSManFault></s:Detail></s:Fault>"

static inline int fake_secret(void *ctx, const char *name, char *buf, size_t cap)
{
    (void)ctx;
    return strcmp(name, "password") == 0 && str_copy(buf, cap, "secret") ? PV_OK : PV_ENOENT;
}

static inline int fake_cancelled(void *ctx, uint64_t call)
{
    (void)ctx;
    (void)call;
    return fake.cancelled;
}

static inline void fake_word(const char *request, char out[64])
{
    const char *at = strstr(request, "<a:Action"), *end = NULL, *slash;

    (void)str_copy(out, 64, strstr(request, "Identify/>") ? "Identify" : "");
    at = at ? strchr(at, '>') : NULL;
    end = at ? strchr(at, '<') : NULL;
    if (!end)
        return;
    for (slash = end; slash > at && *slash != '/'; slash--)
        ;
    (void)str_copy_n(out, 64, slash + 1, (size_t)(end - slash - 1));
}

static inline void fake_message_id(const char *request, char out[64])
{
    const char *at = strstr(request, "<a:MessageID>"), *end = at ? strstr(at, "</") : NULL;

    out[0] = '\0';
    if (end)
        (void)str_copy_n(out, 64, at + 13, (size_t)(end - at - 13));
}

static inline bool fake_answer(struct test_request *r)
{
    struct fake_reply reply = { 0 };
    char action[64], id[64], head[256];
    struct buf text;
    unsigned nth = 0;
    bool ok;

    if (fake.password_wrong || !strstr(r->head, "Authorization: Basic dTpzZWNyZXQ=")) {
        pthread_mutex_lock(&fake.lock);
        fake.refused++;
        pthread_mutex_unlock(&fake.lock);
        test_reply(r, "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"WSMAN\"\r\n"
                      "Content-Length: 0\r\n\r\n");
        return true;
    }
    pthread_mutex_lock(&fake.lock);
    fake_word(r->body, action);
    fake_message_id(r->body, id);
    for (unsigned i = 0; i < fake.count; i++)
        nth += strcmp(fake.actions[i], action) == 0;
    if (fake.count < FAKE_REQUESTS) {
        (void)str_copy(fake.actions[fake.count], 64, action);
        fake.requests[fake.count++] = strdup(r->body);
    }
    if (fake.script)
        reply = fake.script(action, nth, r->body);
    pthread_mutex_unlock(&fake.lock);
    if (reply.cut)
        return false;
    buf_init(&text, 1u << 20);
    if (reply.raw)
        buf_text(&text, reply.raw);
    else
        buf_printf(&text, FAKE_ENVELOPE "<s:Header><a:RelatesTo>%s</a:RelatesTo></s:Header>"
                                        "<s:Body>%s</s:Body></s:Envelope>",
                   reply.relates ? reply.relates : id, reply.body ? reply.body : "");
    if (!reply.status)
        reply.status = reply.body && strstr(reply.body, "<s:Fault>") ? 500 : 200;
    snprintf(head, sizeof(head),
             "HTTP/1.1 %d X\r\nContent-Type: application/soap+xml;charset=UTF-8\r\n"
             "Content-Length: %zu\r\n\r\n",
             reply.status, text.len);
    test_reply(r, head);
    test_send(r, text.data, text.len);
    ok = buf_ok(&text);
    buf_free(&text);
    return ok;
}

static inline void
fake_start(struct fake_reply (*script)(const char *action, unsigned nth, const char *request))
{
    struct pv_err err = { 0 };
    char config[512];

    memset(&fake, 0, sizeof(fake));
    pthread_mutex_init(&fake.lock, NULL);
    fake.script = script;
    cr_assert_eq(httpc_global_init(&err), PV_OK);
    test_server_start(&fake.server, fake_answer, false);
    snprintf(config, sizeof(config),
             "{\"endpoint\":\"%s\",\"username\":\"u\",\"settings\":{\"auth\":\"basic\","
             "\"allow_unencrypted\":true}}",
             fake.server.url);
    fake.host = (struct pv_host){ .size = sizeof(fake.host), .secret = fake_secret,
                                  .cancelled = fake_cancelled };
    fake.call = (struct call){ .host = &fake.host, .number = 1 };
    cr_assert_eq(config_parse(config, &fake.config, &err), PV_OK, "%s", err.message);
    cr_assert_eq(wsman_new(&fake.host, &fake.config, &fake.client, &err), PV_OK, "%s", err.message);
    fake.arena = arena_new(65536, 64u << 20);
}

static inline unsigned fake_count(const char *action)
{
    unsigned n = 0;

    pthread_mutex_lock(&fake.lock);
    for (unsigned i = 0; i < fake.count; i++)
        n += strcmp(fake.actions[i], action) == 0;
    pthread_mutex_unlock(&fake.lock);
    return n;
}

/* The nth request with this action; "" if there was none. */
static inline const char *fake_request(const char *action, unsigned nth)
{
    for (unsigned i = 0; i < fake.count; i++)
        if (strcmp(fake.actions[i], action) == 0 && nth-- == 0)
            return fake.requests[i];
    return "";
}

static inline void fake_stop(void)
{
    arena_free(fake.arena);
    wsman_free(fake.client);
    config_free(&fake.config);
    test_server_stop(&fake.server);
    for (unsigned i = 0; i < fake.count; i++)
        free(fake.requests[i]);
    httpc_global_cleanup();
}
