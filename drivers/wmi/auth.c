/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/wmi/auth.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <krb5/krb5.h>

#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "drivers/wmi/auth_ntlm.h"

#define SECRET_MOST 16384 /* a private key in PEM fits */
#define TOKEN_MOST 65536u

static gss_OID_desc oid_spnego = { 6, (void *)"\x2b\x06\x01\x05\x05\x02" };
static gss_OID_desc oid_krb5 = { 9, (void *)"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02" };

struct auth {
    const struct pv_host *host;
    const struct config *config;
    gss_ctx_id_t context;
    gss_cred_id_t cred;
    struct ntlm own;
    bool ntlm; /* what this sign-in uses, once begun */
    bool begun;
    bool presented; /* the realm was shown the password, and did not like it */
    bool complete;  /* the context is established */
};

struct auth *auth_new(const struct pv_host *host, const struct config *config)
{
    struct auth *a = calloc(1, sizeof(*a));

    if (a) {
        a->host = host;
        a->config = config;
        a->context = GSS_C_NO_CONTEXT;
        a->cred = GSS_C_NO_CREDENTIAL;
    }
    return a;
}

void auth_reset(struct auth *a)
{
    OM_uint32 minor;

    if (a->context != GSS_C_NO_CONTEXT)
        (void)gss_delete_sec_context(&minor, &a->context, GSS_C_NO_BUFFER);
    if (a->cred != GSS_C_NO_CREDENTIAL)
        (void)gss_release_cred(&minor, &a->cred);
    ntlm_wipe(&a->own);
    a->begun = a->complete = a->presented = false;
}

void auth_free(struct auth *a)
{
    if (!a)
        return;
    auth_reset(a);
    free(a);
}

bool auth_was_presented(const struct auth *a)
{
    return a->presented;
}

bool auth_is_per_request(const struct auth *a)
{
    return a->config->auth == AUTH_BASIC || a->config->auth == AUTH_CERTIFICATE;
}

const char *auth_mechanism(const struct auth *a)
{
    if (a->config->auth == AUTH_BASIC)
        return "Basic";
    if (a->config->auth == AUTH_CERTIFICATE)
        return "certificate";
    return !a->begun ? "" : a->ntlm ? "NTLM" : "Kerberos";
}

/* The password, or "" if there is none. To be wiped and freed. */
static int get_password(const struct auth *a, char **out, struct pv_err *err)
{
    char *text = calloc(1, SECRET_MOST);
    int rc;

    if (!text)
        return pv_fail(err, PV_ENOMEM, "no memory");
    rc = a->host->secret ? a->host->secret(a->host->ctx, "password", text, SECRET_MOST) : PV_ENOENT;
    if (rc != PV_OK && rc != PV_ENOENT) {
        free(text);
        return pv_fail(err, rc, "the password cannot be read");
    }
    *out = text;
    return PV_OK;
}

static void drop_password(char *text)
{
    explicit_bzero(text, SECRET_MOST);
    free(text);
}

int auth_header(struct auth *a, struct buf *out, struct pv_err *err)
{
    char *password = NULL, *both;
    size_t cap;
    int rc;

    if (a->config->auth == AUTH_CERTIFICATE) {
        buf_text(out, "Authorization: "
                      "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual");
        return PV_OK;
    }
    rc = get_password(a, &password, err);
    if (rc)
        return rc;
    cap = strlen(a->config->at.username) + strlen(password) + 2;
    both = malloc(cap);
    if (both && snprintf(both, cap, "%s:%s", a->config->at.username, password) > 0) {
        buf_text(out, "Authorization: Basic ");
        str_base64(out, (const uint8_t *)both, cap - 1);
        explicit_bzero(both, cap);
    }
    free(both);
    drop_password(password);
    return both && buf_ok(out) ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory");
}

/* ------------------------------------------------------------------ GSS-API's words */

static void status_text(OM_uint32 code, int type, gss_OID mech, char *out, size_t cap)
{
    OM_uint32 minor, more = 0;
    gss_buffer_desc text = GSS_C_EMPTY_BUFFER;

    out[0] = '\0';
    if (gss_display_status(&minor, code, type, mech, &more, &text) == GSS_S_COMPLETE) {
        size_t n = text.length < cap ? text.length : cap - 1;

        (void)str_copy_n(out, cap, text.value ? text.value : "", n);
        (void)gss_release_buffer(&minor, &text);
    }
}

static int gss_failed(const char *what, OM_uint32 major, OM_uint32 minor, struct pv_err *err)
{
    char why[160], more[200] = "", native[40];
    int rc;

    status_text(major, GSS_C_GSS_CODE, GSS_C_NO_OID, why, sizeof(why));
    if (minor)
        status_text(minor, GSS_C_MECH_CODE, &oid_krb5, more, sizeof(more));
    rc = pv_fail(err, PV_EAUTH, "%s: %s%s%s", what, why, more[0] ? ": " : "", more);
    (void)snprintf(native, sizeof(native), "GSS 0x%08X/%u", (unsigned)major, (unsigned)minor);
    pv_err_native(err, native);
    pv_err_remedy(err,
                  "Give the host by the name in its service principal (HTTP/name), the user as "
                  "user@REALM, and check /etc/krb5.conf and the clock; or use auth ntlm.");
    return rc;
}

/* ------------------------------------------------------------------ credentials */

static int import_name(const char *text, gss_OID type, gss_name_t *out)
{
    gss_buffer_desc buffer = { strlen(text), (void *)(uintptr_t)text };
    OM_uint32 minor;

    return gss_import_name(&minor, &buffer, type, out) == GSS_S_COMPLETE ? PV_OK : PV_EINVAL;
}

/* A credential for the negotiation, which may choose nothing but Kerberos. */
static OM_uint32 acquire(struct auth *a, gss_name_t name, gss_buffer_desc *password, gss_OID mech,
                         OM_uint32 *minor)
{
    gss_OID_set_desc mechs = { 1, mech }, kerberos = { 1, &oid_krb5 };
    OM_uint32 major, ignored;

    major = password ? gss_acquire_cred_with_password(minor, name, password, GSS_C_INDEFINITE,
                                                      &mechs, GSS_C_INITIATE, &a->cred, NULL, NULL)
                     : gss_acquire_cred(minor, name, GSS_C_INDEFINITE, &mechs, GSS_C_INITIATE,
                                        &a->cred, NULL, NULL);
    if (major == GSS_S_COMPLETE && mech == &oid_spnego)
        major = gss_set_neg_mechs(minor, a->cred, &kerberos);
    if (major != GSS_S_COMPLETE && a->cred != GSS_C_NO_CREDENTIAL)
        (void)gss_release_cred(&ignored, &a->cred);
    return major;
}

/* Is there a ticket of this account already? Kerberos alone is asked first: other mechanisms of the
 * machine would say yes for themselves. */
static bool use_ticket(struct auth *a)
{
    gss_name_t name = GSS_C_NO_NAME;
    OM_uint32 major, minor;

    if (a->config->at.username[0] &&
        import_name(a->config->at.username, GSS_C_NT_USER_NAME, &name) != PV_OK)
        return false;
    major = acquire(a, name, NULL, &oid_krb5, &minor);
    if (major == GSS_S_COMPLETE) {
        (void)gss_release_cred(&minor, &a->cred);
        major = acquire(a, name, NULL, &oid_spnego, &minor);
    }
    if (name != GSS_C_NO_NAME)
        (void)gss_release_name(&minor, &name);
    return major == GSS_S_COMPLETE;
}

/* No answer from the realm: nothing was said about the account. */
static bool is_unreachable(OM_uint32 minor)
{
    return minor == (OM_uint32)KRB5_KDC_UNREACH || minor == (OM_uint32)KRB5_REALM_CANT_RESOLVE ||
           minor == (OM_uint32)KRB5_REALM_UNKNOWN;
}

static int check_account(const struct auth *a, const char *password, struct pv_err *err)
{
    if (a->config->at.username[0] && password[0])
        return PV_OK;
    return pv_fail(err, PV_EAUTH, "there is no %s",
                   a->config->at.username[0] ? "password" : "user name");
}

/* Asks the realm for a ticket with the password. */
static int use_password(struct auth *a, struct pv_err *err)
{
    gss_name_t name = GSS_C_NO_NAME;
    gss_buffer_desc buffer;
    OM_uint32 major, minor, ignored;
    char *password = NULL;
    int rc = get_password(a, &password, err);

    if (rc)
        return rc;
    rc = check_account(a, password, err);
    if (rc == PV_OK && import_name(a->config->at.username, GSS_C_NT_USER_NAME, &name) != PV_OK)
        rc = pv_fail(err, PV_EAUTH, "the user name %s cannot be used", a->config->at.username);
    if (rc) {
        drop_password(password);
        return rc;
    }
    buffer = (gss_buffer_desc){ strlen(password), password };
    /* Kerberos alone first, which says why not; what is wrong then is not shown a second time. */
    major = acquire(a, name, &buffer, &oid_krb5, &minor);
    if (major == GSS_S_COMPLETE) {
        (void)gss_release_cred(&ignored, &a->cred);
        major = acquire(a, name, &buffer, &oid_spnego, &minor);
    }
    drop_password(password);
    (void)gss_release_name(&ignored, &name);
    if (major == GSS_S_COMPLETE)
        return PV_OK;
    rc = gss_failed("signing in", major, minor, err);
    if (is_unreachable(minor)) {
        if (err)
            err->rc = PV_EOFFLINE;
        return PV_EOFFLINE;
    }
    a->presented = true;
    return rc;
}

static bool is_address(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;

    return inet_pton(AF_INET, host, &v4) == 1 || inet_pton(AF_INET6, host, &v6) == 1;
}

/* Which of the two, and with what. */
static int begin(struct auth *a, struct pv_err *err)
{
    enum config_auth wanted = a->config->auth;

    a->begun = true;
    a->ntlm = wanted == AUTH_NTLM;
    if (a->ntlm || (!is_address(a->config->at.host) && use_ticket(a)))
        return PV_OK;
    if (wanted == AUTH_KERBEROS)
        return use_password(a, err);
    a->ntlm = true;
    return PV_OK;
}

/* ------------------------------------------------------------------ tokens */

/* "Negotiate <base64>" out of a WWW-Authenticate value. *len 0: there is none. */
static int read_challenge(const char *challenge, uint8_t *token, size_t cap, size_t *len,
                          struct pv_err *err)
{
    size_t n;

    *len = 0;
    if (!challenge || strncasecmp(challenge, "Negotiate", 9) != 0)
        return PV_OK;
    challenge += 9;
    challenge += strspn(challenge, " ");
    n = strcspn(challenge, " ,");
    if (n && !str_unbase64(challenge, n, token, cap, len))
        return pv_fail(err, PV_EIO, "the host's sign-in token cannot be read");
    return PV_OK;
}

/* RFC 5929: a host with strict hardening wants to see that we talk through its own TLS connection.
 */
static bool bind_channel(const char *peer_sha256, struct gss_channel_bindings_struct *out,
                         char data[64])
{
    static const char prefix[] = "tls-server-end-point:";

    memset(out, 0, sizeof(*out));
    memcpy(data, prefix, sizeof(prefix) - 1);
    if (!peer_sha256 || strlen(peer_sha256) != 64 ||
        !str_unhex(peer_sha256, 64, (uint8_t *)data + sizeof(prefix) - 1))
        return false;
    out->application_data.value = data;
    out->application_data.length = sizeof(prefix) - 1 + 32;
    return true;
}

static int advance(struct auth *a, const uint8_t *token, size_t len, const char *peer_sha256,
                   gss_buffer_desc *reply, struct pv_err *err)
{
    gss_buffer_desc in = { len, (void *)(uintptr_t)token };
    struct gss_channel_bindings_struct bindings;
    char target[300], data[64];
    gss_name_t name = GSS_C_NO_NAME;
    OM_uint32 major, minor, ignored;
    OM_uint32 flags = GSS_C_MUTUAL_FLAG | GSS_C_REPLAY_FLAG | GSS_C_SEQUENCE_FLAG |
                      GSS_C_INTEG_FLAG | GSS_C_CONF_FLAG;
    bool bound = bind_channel(peer_sha256, &bindings, data);

    (void)snprintf(target, sizeof(target), "HTTP@%s", a->config->at.host);
    if (import_name(target, GSS_C_NT_HOSTBASED_SERVICE, &name) != PV_OK)
        return pv_fail(err, PV_EAUTH, "no service name can be made of %s", a->config->at.host);
    major = gss_init_sec_context(&minor, a->cred, &a->context, name, &oid_spnego, flags, 0,
                                 bound ? &bindings : GSS_C_NO_CHANNEL_BINDINGS,
                                 len ? &in : GSS_C_NO_BUFFER, NULL, reply, NULL, NULL);
    (void)gss_release_name(&ignored, &name);
    if (GSS_ERROR(major))
        return gss_failed("signing in", major, minor, err);
    a->complete = major == GSS_S_COMPLETE;
    return PV_OK;
}

/* NTLM: the first message, or the answer to the host's challenge. */
static int advance_ntlm(struct auth *a, const uint8_t *token, size_t len, const char *peer_sha256,
                        struct buf *reply, struct pv_err *err)
{
    struct ntlm_account account = { .user = a->config->at.username, .peer_sha256 = peer_sha256 };
    char *password = NULL, service[300];
    int rc;

    if (len == 0) {
        ntlm_begin(&a->own, reply);
        return PV_OK;
    }
    (void)snprintf(service, sizeof(service), "HTTP/%s", a->config->at.host);
    account.service = service;
    rc = get_password(a, &password, err);
    if (rc)
        return rc;
    account.password = password;
    rc = check_account(a, password, err);
    if (rc == PV_OK)
        rc = ntlm_answer(&a->own, &account, token, len, NULL, reply, err);
    drop_password(password);
    a->complete = rc == PV_OK;
    return rc;
}

static int advance_kerberos(struct auth *a, const uint8_t *token, size_t len,
                            const char *peer_sha256, struct buf *out, struct pv_err *err)
{
    gss_buffer_desc reply = GSS_C_EMPTY_BUFFER;
    OM_uint32 minor;
    int rc = advance(a, token, len, peer_sha256, &reply, err);

    if (rc == PV_OK)
        buf_append(out, reply.value, reply.length);
    (void)gss_release_buffer(&minor, &reply);
    return rc;
}

int auth_step(struct auth *a, const char *challenge, const char *peer_sha256, struct buf *header,
              bool *last, struct pv_err *err)
{
    uint8_t *token = NULL;
    struct buf reply;
    size_t len = 0;
    int rc = PV_OK;

    buf_init(&reply, TOKEN_MOST);
    if (!a->begun) {
        rc = begin(a, err);
    } else {
        token = malloc(TOKEN_MOST);
        rc = token ? read_challenge(challenge, token, TOKEN_MOST, &len, err)
                   : pv_fail(err, PV_ENOMEM, "no memory");
        if (rc == PV_OK && len == 0)
            rc = pv_fail(err, PV_EAUTH, "the host refused the sign-in of %s", a->config->at.username);
    }
    if (rc == PV_OK)
        rc = a->ntlm ? advance_ntlm(a, token, len, peer_sha256, &reply, err)
                     : advance_kerberos(a, token, len, peer_sha256, &reply, err);
    free(token);
    if (rc == PV_OK && reply.len == 0)
        rc = pv_fail(err, PV_EAUTH, "the sign-in of %s came to nothing", a->config->at.username);
    if (rc == PV_OK) {
        buf_text(header, "Authorization: Negotiate ");
        str_base64(header, (const uint8_t *)reply.data, reply.len);
        /* NTLM's second message is its last; Kerberos waits for the server's proof only. */
        *last = a->complete || !a->ntlm;
        if (!buf_ok(header))
            rc = pv_fail(err, PV_ENOMEM, "no memory");
    }
    buf_free(&reply);
    return rc;
}

int auth_finish(struct auth *a, const char *challenge, struct pv_err *err)
{
    gss_buffer_desc reply = GSS_C_EMPTY_BUFFER;
    uint8_t *token;
    size_t len = 0;
    OM_uint32 minor;
    int rc;

    if (a->complete)
        return PV_OK;
    token = malloc(TOKEN_MOST);
    rc = token ? read_challenge(challenge, token, TOKEN_MOST, &len, err)
               : pv_fail(err, PV_ENOMEM, "no memory");
    if (rc == PV_OK && len == 0)
        rc = pv_fail(err, PV_EAUTH, "the host does not prove who it is");
    if (rc == PV_OK)
        rc = advance(a, token, len, NULL, &reply, err);
    if (rc == PV_OK && !a->complete)
        rc = pv_fail(err, PV_EAUTH, "the host does not end the sign-in");
    free(token);
    (void)gss_release_buffer(&minor, &reply);
    return rc;
}

/* ------------------------------------------------------------------ sealing */

static void seal_ntlm(struct auth *a, const char *text, size_t len, struct buf *head,
                      struct buf *sealed)
{
    uint8_t signature[NTLM_SIGNATURE] = { 0 };

    ntlm_seal(&a->own, text, len, signature, sealed);
    buf_append(head, signature, sizeof(signature));
}

static int seal_krb5(struct auth *a, const char *text, size_t len, struct buf *head,
                     struct buf *sealed, size_t *padding, struct pv_err *err)
{
    gss_iov_buffer_desc iov[3] = {
        { .type = GSS_IOV_BUFFER_TYPE_HEADER | GSS_IOV_BUFFER_FLAG_ALLOCATE },
        { .type = GSS_IOV_BUFFER_TYPE_DATA },
        { .type = GSS_IOV_BUFFER_TYPE_PADDING | GSS_IOV_BUFFER_FLAG_ALLOCATE },
    };
    char *copy = malloc(len ? len : 1); /* it is encrypted in place */
    OM_uint32 major, minor, ignored;
    int conf = 0;

    if (!copy)
        return pv_fail(err, PV_ENOMEM, "no memory");
    memcpy(copy, text, len);
    iov[1].buffer = (gss_buffer_desc){ len, copy };
    major = gss_wrap_iov(&minor, a->context, 1, GSS_C_QOP_DEFAULT, &conf, iov, 3);
    if (major == GSS_S_COMPLETE) {
        buf_append(head, iov[0].buffer.value, iov[0].buffer.length);
        buf_append(sealed, iov[1].buffer.value, iov[1].buffer.length);
        buf_append(sealed, iov[2].buffer.value, iov[2].buffer.length);
        *padding = iov[2].buffer.length;
    }
    free(copy);
    iov[1].buffer = (gss_buffer_desc)GSS_C_EMPTY_BUFFER;
    (void)gss_release_iov_buffer(&ignored, iov, 3);
    if (major != GSS_S_COMPLETE || !conf)
        return gss_failed("encrypting a message", major, minor, err);
    return PV_OK;
}

int auth_seal(struct auth *a, const char *text, size_t len, struct buf *head, struct buf *sealed,
              size_t *clear_len, struct pv_err *err)
{
    size_t padding = 0;
    int rc = PV_OK;

    if (!a->complete)
        return pv_fail(err, PV_EINTERNAL, "nobody is signed in");
    if (a->ntlm)
        seal_ntlm(a, text, len, head, sealed);
    else
        rc = seal_krb5(a, text, len, head, sealed, &padding, err);
    *clear_len = len + padding;
    if (rc == PV_OK && (!buf_ok(head) || !buf_ok(sealed)))
        rc = pv_fail(err, PV_ENOMEM, "no memory");
    return rc;
}

/* One stream of header and data: the library finds the parts by itself. */
static int unseal_krb5(struct auth *a, const char *head, size_t head_len, const char *sealed,
                       size_t len, struct buf *out, struct pv_err *err)
{
    gss_iov_buffer_desc iov[2] = {
        { .type = GSS_IOV_BUFFER_TYPE_STREAM },
        { .type = GSS_IOV_BUFFER_TYPE_DATA },
    };
    OM_uint32 major, minor = 0;
    char *both = malloc(head_len + len + 1);
    int conf = 0;

    if (!both)
        return pv_fail(err, PV_ENOMEM, "no memory");
    memcpy(both, head, head_len);
    memcpy(both + head_len, sealed, len);
    iov[0].buffer = (gss_buffer_desc){ head_len + len, both };
    major = gss_unwrap_iov(&minor, a->context, &conf, NULL, iov, 2);
    if (major == GSS_S_COMPLETE)
        buf_append(out, iov[1].buffer.value, iov[1].buffer.length);
    free(both);
    if (major == GSS_S_COMPLETE && conf)
        return PV_OK;
    (void)gss_failed("decrypting the host's answer", major, minor, err);
    /* It is no question of the account any more. */
    if (err)
        err->rc = PV_EIO;
    return PV_EIO;
}

int auth_unseal(struct auth *a, const char *head, size_t head_len, const char *sealed, size_t len,
                struct buf *out, struct pv_err *err)
{
    int rc = PV_OK;

    if (!a->complete)
        return pv_fail(err, PV_EINTERNAL, "nobody is signed in");
    if (!a->ntlm)
        rc = unseal_krb5(a, head, head_len, sealed, len, out, err);
    else if (head_len != NTLM_SIGNATURE ||
             !ntlm_unseal(&a->own, (const uint8_t *)head, sealed, len, out))
        rc = pv_fail(err, PV_EIO, "the host's answer is not signed as it should be");
    return rc || buf_ok(out) ? rc : pv_fail(err, PV_ENOMEM, "no memory");
}
