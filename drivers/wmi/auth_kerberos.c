/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/wmi/auth_kerberos.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <krb5/krb5.h>

#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "drivers/wmi/auth.h"

static gss_OID_desc oid_spnego = { 6, (void *)"\x2b\x06\x01\x05\x05\x02" };
static gss_OID_desc oid_krb5 = { 9, (void *)"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02" };

void kerberos_reset(struct kerberos *k)
{
    OM_uint32 minor;

    if (k->context != GSS_C_NO_CONTEXT)
        (void)gss_delete_sec_context(&minor, &k->context, GSS_C_NO_BUFFER);
    if (k->cred != GSS_C_NO_CREDENTIAL)
        (void)gss_release_cred(&minor, &k->cred);
    memset(k, 0, sizeof(*k));
}

/* ------------------------------------------------------------------ what went wrong */

static const char clock_remedy[] =
    "Set the clocks: this server, the host and the domain controller may differ by 5 minutes at "
    "most. NTP keeps them together.";
static const char name_remedy[] =
    "Give the host by the name it has in the domain, not by an address or an alias; "
    "\"setspn -L\" with the host's name lists its service names. Or use auth ntlm.";
static const char realm_remedy[] =
    "Check [realms] and [domain_realm] in /etc/krb5.conf or the DNS records "
    "_kerberos._tcp of the realm, and that port 88 of a domain controller can be reached from "
    "this server.";
static const char account_remedy[] =
    "Write the account as user@REALM, with the realm in capitals as in user@EXAMPLE.COM.";
static const char password_remedy[] =
    "Check the password. Nothing is tried again until it is changed here or somebody asks.";
static const char ticket_remedy[] =
    "Give the provider a user name (user@REALM) and a password, or this server's user a ticket "
    "or a client keytab (KRB5CCNAME, KRB5_CLIENT_KTNAME).";

static const struct meaning {
    krb5_error_code code;
    int rc;
    const char *name;
    const char *words; /* after what it is about */
    const char *remedy;
} meanings[] = {
    { KRB5KDC_ERR_PREAUTH_FAILED, PV_EAUTH, "KDC_ERR_PREAUTH_FAILED", "wrong password",
      password_remedy },
    { KRB5_PREAUTH_FAILED, PV_EAUTH, "PREAUTH_FAILED", "wrong password", password_remedy },
    { KRB5KRB_AP_ERR_BAD_INTEGRITY, PV_EAUTH, "KRB_AP_ERR_BAD_INTEGRITY", "wrong password",
      password_remedy },
    { KRB5KDC_ERR_C_PRINCIPAL_UNKNOWN, PV_EAUTH, "KDC_ERR_C_PRINCIPAL_UNKNOWN",
      "the realm knows no such account", account_remedy },
    { KRB5KDC_ERR_WRONG_REALM, PV_EAUTH, "KDC_ERR_WRONG_REALM",
      "the account belongs to another realm", account_remedy },
    { KRB5_CONFIG_NODEFREALM, PV_EAUTH, "KRB5_CONFIG_NODEFREALM",
      "there is no realm in the name, and no usual one", account_remedy },
    { KRB5KDC_ERR_KEY_EXP, PV_EAUTH, "KDC_ERR_KEY_EXPIRED", "the password has expired",
      "Set a new password for the account, and enter it here." },
    { KRB5KDC_ERR_CLIENT_REVOKED, PV_EAUTH, "KDC_ERR_CLIENT_REVOKED",
      "the account is disabled or locked", "Unlock or enable the account in the domain." },
    { KRB5KRB_AP_ERR_SKEW, PV_EAUTH, "KRB_AP_ERR_SKEW", "the clocks differ too much",
      clock_remedy },
    { KRB5KRB_AP_ERR_TKT_NYV, PV_EAUTH, "KRB_AP_ERR_TKT_NYV",
      "the ticket is not valid yet: the clocks differ", clock_remedy },
    { KRB5KDC_ERR_NEVER_VALID, PV_EAUTH, "KDC_ERR_NEVER_VALID", "the clocks differ too much",
      clock_remedy },
    { KRB5KRB_AP_ERR_TKT_EXPIRED, PV_EAUTH, "KRB_AP_ERR_TKT_EXPIRED", "the ticket has expired",
      ticket_remedy },
    { KRB5KDC_ERR_S_PRINCIPAL_UNKNOWN, PV_EAUTH, "KDC_ERR_S_PRINCIPAL_UNKNOWN",
      "the realm knows neither the service HTTP nor WSMAN of this host", name_remedy },
    { KRB5_ERR_HOST_REALM_UNKNOWN, PV_EAUTH, "KRB5_ERR_HOST_REALM_UNKNOWN",
      "nobody knows the realm of this host", name_remedy },
    { KRB5KRB_AP_ERR_MODIFIED, PV_EAUTH, "KRB_AP_ERR_MODIFIED",
      "the host cannot read the ticket: its service name belongs to another account", name_remedy },
    { KRB5KRB_AP_WRONG_PRINC, PV_EAUTH, "KRB_AP_WRONG_PRINC",
      "the ticket is for another service than the host's", name_remedy },
    { KRB5KDC_ERR_ETYPE_NOSUPP, PV_EAUTH, "KDC_ERR_ETYPE_NOSUPP",
      "there is no kind of encryption that both sides allow",
      "Allow AES for the account in the domain (msDS-SupportedEncryptionTypes), or set its "
      "password anew." },
    { KRB5_KDC_UNREACH, PV_EOFFLINE, "KRB5_KDC_UNREACH", "no domain controller answers",
      realm_remedy },
    { KRB5_REALM_CANT_RESOLVE, PV_EOFFLINE, "KRB5_REALM_CANT_RESOLVE",
      "the domain controllers' names cannot be resolved", realm_remedy },
    { KRB5_REALM_UNKNOWN, PV_EOFFLINE, "KRB5_REALM_UNKNOWN", "no domain controller is known",
      realm_remedy },
    { KRB5_FCC_NOFILE, PV_EAUTH, "KRB5_FCC_NOFILE", "there is no ticket", ticket_remedy },
    { KRB5_CC_NOTFOUND, PV_EAUTH, "KRB5_CC_NOTFOUND", "there is no ticket", ticket_remedy },
};

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

int kerberos_fail(uint32_t major, uint32_t minor, const char *what, const char *about,
                  struct pv_err *err)
{
    const struct meaning *m = NULL;
    char why[160], more[200] = "", native[64];
    int rc;

    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]) && !m; i++)
        if ((OM_uint32)meanings[i].code == minor)
            m = &meanings[i];
    if (m) {
        rc = pv_fail(err, m->rc, "%s: %s: %s", what, about, m->words);
        pv_err_remedy(err, "%s", m->remedy);
        /* RFC 4120's number; what the library says on its own has none. */
        if (minor - (OM_uint32)KRB5KDC_ERR_NONE < 128u)
            (void)snprintf(native, sizeof(native), "%u %s",
                           (unsigned)(minor - (OM_uint32)KRB5KDC_ERR_NONE), m->name);
        else
            (void)str_copy(native, sizeof(native), m->name);
    } else {
        status_text(major, GSS_C_GSS_CODE, GSS_C_NO_OID, why, sizeof(why));
        if (minor)
            status_text(minor, GSS_C_MECH_CODE, &oid_krb5, more, sizeof(more));
        rc = pv_fail(err, PV_EAUTH, "%s: %s: %s%s%s", what, about, why, more[0] ? ": " : "", more);
        pv_err_remedy(err, "%s", name_remedy);
        (void)snprintf(native, sizeof(native), "GSS 0x%08X/%u", (unsigned)major, (unsigned)minor);
    }
    pv_err_native(err, native);
    return rc;
}

/* ------------------------------------------------------------------ credentials */

static int import_name(const char *text, gss_OID type, gss_name_t *out)
{
    gss_buffer_desc buffer = { strlen(text), (void *)(uintptr_t)text };
    OM_uint32 minor;

    return gss_import_name(&minor, &buffer, type, out) == GSS_S_COMPLETE ? PV_OK : PV_EINVAL;
}

/* Where a credential comes from. */
enum source {
    FROM_PASSWORD,
    FROM_KEYTAB, /* the client keytab of our user; its tickets stay in memory, for we write no files
                  */
    FROM_CACHE,  /* a ticket that is there */
};

static OM_uint32 acquire_from(struct kerberos *k, enum source source, const char *user,
                              gss_name_t name, gss_buffer_desc *password, gss_OID_set mechs,
                              OM_uint32 *minor)
{
    char cache[320];
    gss_key_value_element_desc element = { "ccache", cache };
    gss_key_value_set_desc store = { 1, &element };

    switch (source) {
    case FROM_PASSWORD:
        return gss_acquire_cred_with_password(minor, name, password, GSS_C_INDEFINITE, mechs,
                                              GSS_C_INITIATE, &k->cred, NULL, NULL);
    case FROM_KEYTAB:
        (void)snprintf(cache, sizeof(cache), "MEMORY:polyvisor-%.280s", user ? user : "");
        return gss_acquire_cred_from(minor, name, GSS_C_INDEFINITE, mechs, GSS_C_INITIATE, &store,
                                     &k->cred, NULL, NULL);
    default:
        return gss_acquire_cred(minor, name, GSS_C_INDEFINITE, mechs, GSS_C_INITIATE, &k->cred,
                                NULL, NULL);
    }
}

/* Kerberos alone is asked first: it says why not, and SPNEGO's other mechanisms of the machine
 * would say yes for themselves. */
static OM_uint32 acquire(struct kerberos *k, enum source source, const char *user,
                         gss_buffer_desc *password, OM_uint32 *minor)
{
    gss_OID_set_desc kerberos = { 1, &oid_krb5 }, spnego = { 1, &oid_spnego };
    gss_name_t name = GSS_C_NO_NAME;
    OM_uint32 major, ignored;

    *minor = 0;
    if (user && *user && import_name(user, GSS_C_NT_USER_NAME, &name) != PV_OK)
        return GSS_S_BAD_NAME;
    major = acquire_from(k, source, user, name, password, &kerberos, minor);
    if (major == GSS_S_COMPLETE && k->wrapped) {
        (void)gss_release_cred(&ignored, &k->cred);
        major = acquire_from(k, source, user, name, password, &spnego, minor);
        if (major == GSS_S_COMPLETE)
            major = gss_set_neg_mechs(minor, k->cred, &kerberos);
    }
    if (major != GSS_S_COMPLETE && k->cred != GSS_C_NO_CREDENTIAL)
        (void)gss_release_cred(&ignored, &k->cred);
    if (name != GSS_C_NO_NAME)
        (void)gss_release_name(&ignored, &name);
    return major;
}

/* The kernel's keyring is closed to driver hosts: whoever knocks is killed. */
static bool has_usable_cache(void)
{
    krb5_context context = NULL;
    const char *name;
    bool usable;

    if (krb5_init_context(&context) != 0)
        return false;
    name = krb5_cc_default_name(context);
    usable = name && strncmp(name, "KEYRING:", 8) != 0;
    krb5_free_context(context);
    return usable;
}

bool kerberos_find(struct kerberos *k, const char *user)
{
    OM_uint32 minor;

    if (k->cred != GSS_C_NO_CREDENTIAL)
        (void)gss_release_cred(&minor, &k->cred);
    return acquire(k, FROM_KEYTAB, user, NULL, &minor) == GSS_S_COMPLETE ||
           (has_usable_cache() && acquire(k, FROM_CACHE, user, NULL, &minor) == GSS_S_COMPLETE);
}

int kerberos_ask(struct kerberos *k, const char *user, char *password, struct pv_err *err)
{
    gss_buffer_desc buffer = { strlen(password), password };
    OM_uint32 major, minor;
    int rc;

    major = acquire(k, FROM_PASSWORD, user, &buffer, &minor);
    if (major == GSS_S_COMPLETE)
        return PV_OK;
    rc = kerberos_fail(major, minor, "signing in", user, err);
    k->presented = rc == PV_EAUTH;
    return rc;
}

/* ------------------------------------------------------------------ tokens */

/* A host with strict hardening wants to see that we talk through its own TLS connection. */
static gss_channel_bindings_t bind_channel(const struct auth_channel *channel,
                                           struct gss_channel_bindings_struct *out, char data[96])
{
    static const char prefix[] = "tls-server-end-point:";

    memset(out, 0, sizeof(*out));
    if (!channel || channel->len == 0 || channel->len > sizeof(channel->hash))
        return GSS_C_NO_CHANNEL_BINDINGS;
    memcpy(data, prefix, sizeof(prefix) - 1);
    memcpy(data + sizeof(prefix) - 1, channel->hash, channel->len);
    out->application_data.value = data;
    out->application_data.length = sizeof(prefix) - 1 + channel->len;
    return out;
}

static OM_uint32 step(struct kerberos *k, const char *host, gss_buffer_desc *in,
                      gss_channel_bindings_t bindings, gss_buffer_desc *reply, OM_uint32 *minor)
{
    OM_uint32 major, ignored,
        flags = GSS_C_MUTUAL_FLAG | GSS_C_REPLAY_FLAG | GSS_C_SEQUENCE_FLAG | GSS_C_INTEG_FLAG |
                GSS_C_CONF_FLAG;
    gss_name_t name = GSS_C_NO_NAME;
    char target[300];

    (void)snprintf(target, sizeof(target), "%s@%s", k->other_name ? "WSMAN" : "HTTP", host);
    if (import_name(target, GSS_C_NT_HOSTBASED_SERVICE, &name) != PV_OK) {
        *minor = 0;
        return GSS_S_BAD_NAME;
    }
    major = gss_init_sec_context(minor, k->cred, &k->context, name,
                                 k->wrapped ? &oid_spnego : &oid_krb5, flags, 0, bindings, in, NULL,
                                 reply, NULL, NULL);
    (void)gss_release_name(&ignored, &name);
    return major;
}

static bool is_unknown_service(OM_uint32 major, OM_uint32 minor)
{
    return GSS_ERROR(major) && minor == (OM_uint32)KRB5KDC_ERR_S_PRINCIPAL_UNKNOWN;
}

int kerberos_step(struct kerberos *k, const char *host, const uint8_t *token, size_t len,
                  const struct auth_channel *channel, struct buf *reply, struct pv_err *err)
{
    gss_buffer_desc in = { len, (void *)(uintptr_t)token }, out = GSS_C_EMPTY_BUFFER;
    struct gss_channel_bindings_struct room;
    OM_uint32 major, minor, ignored;
    char data[96];
    gss_channel_bindings_t bindings = bind_channel(channel, &room, data);
    int rc = PV_OK;

    major = step(k, host, &in, bindings, &out, &minor);
    if (len == 0 && is_unknown_service(major, minor)) {
        if (k->context != GSS_C_NO_CONTEXT)
            (void)gss_delete_sec_context(&ignored, &k->context, GSS_C_NO_BUFFER);
        (void)gss_release_buffer(&ignored, &out);
        k->other_name = true;
        major = step(k, host, &in, bindings, &out, &minor);
    }
    if (GSS_ERROR(major))
        rc = kerberos_fail(major, minor, "signing in", host, err);
    else
        buf_append(reply, out.value, out.length);
    (void)gss_release_buffer(&ignored, &out);
    k->complete = major == GSS_S_COMPLETE;
    return rc;
}

/* ------------------------------------------------------------------ sealing */

int kerberos_seal(struct kerberos *k, const char *text, size_t len, struct buf *head,
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
    major = gss_wrap_iov(&minor, k->context, 1, GSS_C_QOP_DEFAULT, &conf, iov, 3);
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
        return kerberos_fail(major, minor, "encrypting a message", "the key of the sign-in", err);
    return PV_OK;
}

/* One stream of header and data: the library finds the parts by itself. */
int kerberos_unseal(struct kerberos *k, const char *head, size_t head_len, const char *sealed,
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
    major = gss_unwrap_iov(&minor, k->context, &conf, NULL, iov, 2);
    if (major == GSS_S_COMPLETE)
        buf_append(out, iov[1].buffer.value, iov[1].buffer.length);
    free(both);
    if (major == GSS_S_COMPLETE && conf)
        return PV_OK;
    (void)kerberos_fail(major, minor, "decrypting the host's answer", "the key of the sign-in",
                        err);
    /* It is no question of the account any more. */
    if (err)
        err->rc = PV_EIO;
    return PV_EIO;
}
