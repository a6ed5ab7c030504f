/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vapi_fake - a vSphere server that answers as the test's script says.
 *
 * The script gets the method's name and which request for it this is, and
 * answers a body, or one of the special replies. Every request is kept;
 * fake_stop checks all of them against the schema's order.
 *
 * Threads: the script runs on the server's threads, one at a time.
 */
#pragma once

#include <criterion/criterion.h>

#include <polyvisor/driver.h>
#include <polyvisor/httpc.h>

#include "tests/unit/https_server.h"
#include "tests/unit/vapi_order.h"

#include "drivers/vapi/vapi.h"

#define FAKE_REQUESTS 512

struct fake_reply {
    int status;          /* 0: 200 for answers, 500 for faults */
    const char *headers; /* with CRLF */
    const char *body;    /* inside soapenv:Body; NULL: the usual answer */
    const char *raw;     /* the whole HTTP body instead */
    bool cut;            /* close without an answer */
};

struct fake {
    struct test_server server;
    struct fake_reply (*script)(const char *method, unsigned nth, const char *body);
    pthread_mutex_t lock;
    char *bodies[FAKE_REQUESTS], *heads[FAKE_REQUESTS];
    char methods[FAKE_REQUESTS][64];
    unsigned count;
    struct pv_host host;
    char config[512];
};

static struct fake fake;

#define FAKE_FAULT(type)                                                                           \
    "<soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>" type                      \
    "</faultstring><detail><" type "Fault xmlns=\"urn:vim25\" xsi:type=\"" type                    \
    "\"/></detail></soapenv:Fault>"
#define FAKE_FAULT_WITH(type, fields)                                                              \
    "<soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>" type                      \
    "</faultstring><detail><" type "Fault xmlns=\"urn:vim25\" xsi:type=\"" type "\">" fields       \
    "</" type "Fault></detail></soapenv:Fault>"
#define FAKE_ANSWER(method, inner)                                                                 \
    "<" method "Response xmlns=\"urn:vim25\">" inner "</" method "Response>"

static const char fake_content[] = FAKE_ANSWER(
    "RetrieveServiceContent",
    "<returnval><rootFolder type=\"Folder\">root-1</rootFolder>"
    "<propertyCollector type=\"PropertyCollector\">pc-1</propertyCollector>"
    "<viewManager type=\"ViewManager\">views-1</viewManager>"
    "<about><name>VMware vCenter Server</name><fullName>VMware vCenter Server 8</fullName>"
    "<version>8.0.3</version><build>1</build><apiType>VirtualCenter</apiType>"
    "<apiVersion>9.1.0.0</apiVersion><instanceUuid>uuid-1</instanceUuid></about>"
    "<sessionManager type=\"SessionManager\">sessions-1</sessionManager></returnval>");

/* What a server without peculiarities says. */
static inline const char *fake_usual(const char *method)
{
    if (strcmp(method, "RetrieveServiceContent") == 0)
        return fake_content;
    if (strcmp(method, "Login") == 0)
        return FAKE_ANSWER("Login", "<returnval><key>k</key></returnval>");
    if (strcmp(method, "CurrentTime") == 0)
        return FAKE_ANSWER("CurrentTime", "<returnval>2026-01-01T00:00:00Z</returnval>");
    if (strcmp(method, "CreateContainerView") == 0)
        return FAKE_ANSWER("CreateContainerView",
                           "<returnval type=\"ContainerView\">view-1</returnval>");
    return FAKE_ANSWER("Any", "");
}

static inline void fake_method(const char *body, char *out, size_t cap)
{
    const char *at = strstr(body, "Body><");
    size_t len = at ? strcspn(at + 6, " >") : 0;

    snprintf(out, cap, "%.*s", (int)len, at ? at + 6 : "");
}

static inline bool fake_answer(struct test_request *r)
{
    struct fake_reply reply = { 0 };
    char head[1024], *envelope = NULL;
    const char *text;
    unsigned nth = 0, i;
    char method[64];

    fake_method(r->body, method, sizeof(method));
    pthread_mutex_lock(&fake.lock);
    for (i = 0; i < fake.count; i++)
        nth += strcmp(fake.methods[i], method) == 0;
    if (fake.count < FAKE_REQUESTS) {
        snprintf(fake.methods[fake.count], sizeof(fake.methods[0]), "%s", method);
        fake.heads[fake.count] = strndup(r->head, (size_t)(r->body - r->head));
        fake.bodies[fake.count++] = strndup(r->body, r->body_len);
    }
    if (fake.script)
        reply = fake.script(method, nth, r->body);
    pthread_mutex_unlock(&fake.lock);
    if (reply.cut)
        return false;
    if (!reply.headers)
        reply.headers = strcmp(method, "Login") == 0
                            ? "Set-Cookie: vmware_soap_session=\"c-1\"; Path=/; HttpOnly\r\n"
                            : "";
    text = reply.body ? reply.body : fake_usual(method);
    if (!reply.status)
        reply.status = strstr(text, "soapenv:Fault") ? 500 : 200;
    if (!reply.raw &&
        asprintf(&envelope,
                 "<?xml version=\"1.0\"?><soapenv:Envelope "
                 "xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" "
                 "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><soapenv:Body>%s"
                 "</soapenv:Body></soapenv:Envelope>",
                 text) < 0)
        abort();
    text = reply.raw ? reply.raw : envelope;
    snprintf(head, sizeof(head), "HTTP/1.1 %d X\r\n%sContent-Length: %zu\r\n\r\n", reply.status,
             reply.headers, strlen(text));
    test_reply(r, head);
    test_reply(r, text);
    free(envelope);
    return true;
}

static inline int fake_password(void *ctx, const char *name, char *buf, size_t cap)
{
    (void)ctx;
    snprintf(buf, cap, "%s", "secret");
    return strcmp(name, "password") == 0 ? PV_OK : PV_ENOENT;
}

static inline void fake_start(struct fake_reply (*script)(const char *, unsigned, const char *))
{
    struct pv_err err = { 0 };

    cr_assert_eq(httpc_global_init(&err), PV_OK);
    memset(&fake, 0, sizeof(fake));
    pthread_mutex_init(&fake.lock, NULL);
    fake.script = script;
    fake.host.size = sizeof(fake.host);
    fake.host.secret = fake_password;
    test_server_start(&fake.server, fake_answer, false);
    snprintf(fake.config, sizeof(fake.config),
             "{\"name\":\"f\",\"endpoint\":\"%s\",\"username\":\"u\",\"settings\":{},"
             "\"tls\":{\"mode\":\"ca\"}}",
             fake.server.url);
}

static inline unsigned fake_count(const char *method)
{
    unsigned n = 0;

    pthread_mutex_lock(&fake.lock);
    for (unsigned i = 0; i < fake.count; i++)
        n += strcmp(fake.methods[i], method) == 0;
    pthread_mutex_unlock(&fake.lock);
    return n;
}

/* The nth request of a method, head and body; NULL: there was none. */
static inline const char *fake_request(const char *method, unsigned nth, bool head)
{
    for (unsigned i = 0; i < fake.count; i++)
        if (strcmp(fake.methods[i], method) == 0 && nth-- == 0)
            return head ? fake.heads[i] : fake.bodies[i];
    return NULL;
}

static inline void fake_stop(void)
{
    test_server_stop(&fake.server);
    for (unsigned i = 0; i < fake.count; i++) {
        order_check_text(fake.bodies[i], strlen(fake.bodies[i]), NULL, 0);
        free(fake.bodies[i]);
        free(fake.heads[i]);
    }
    httpc_global_cleanup();
}
