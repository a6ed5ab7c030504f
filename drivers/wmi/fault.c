/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/wmi/fault.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <polyvisor/err.h>
#include <polyvisor/str.h>
#include <polyvisor/xml.h>

#include "drivers/wmi/names.h"

#define TIMED_OUT 0x80338029u
#define NESTED_MOST 8

/* What codes mean for us. Those not named here are PV_EIO. */
static const struct meaning {
    uint32_t first, last;
    int rc;
    const char *words;
    const char *remedy; /* NULL: the problem's usual one */
} meanings[] = {
    { 5, 5, PV_EPERM, "access is denied",
      "If the path lies on another machine (a share, another host), the host needs Kerberos "
      "constrained delegation to act there." },
    { 87, 87, PV_EINVAL, "a value is not acceptable", NULL },
    { 1722, 1722, PV_EOFFLINE, "a service of the host does not answer", NULL },
    { 0x80041001, 0x80041001, PV_EIO, "WMI reports a failure", NULL },
    { 0x80041002, 0x80041002, PV_ENOENT, "it does not exist", NULL },
    { 0x80041003, 0x80041003, PV_EPERM, "access is denied",
      "Add the account to Hyper-V Administrators and Remote Management Users on the host." },
    { 0x80041004, 0x80041004, PV_EIO, "a WMI provider failed",
      "Check the services Hyper-V Virtual Machine Management and Windows Management "
      "Instrumentation." },
    { 0x80041006, 0x80041006, PV_ELIMIT, "the host has no memory for it", NULL },
    { 0x80041008, 0x80041008, PV_EINVAL, "a value is not acceptable", NULL },
    { 0x8004100C, 0x8004100C, PV_ENOTSUP, "the host does not support it", NULL },
    { 0x8004100E, 0x8004100E, PV_ENOTSUP, "the host has no such namespace",
      "Install the Hyper-V role; it brings the namespace root/virtualization/v2." },
    { 0x80041010, 0x80041010, PV_ENOTSUP, "the host has no such class", NULL },
    { 0x80041013, 0x80041013, PV_EOFFLINE, "the WMI provider could not be loaded",
      "Start the service Hyper-V Virtual Machine Management (vmms) on the host." },
    { 0x80041017, 0x80041018, PV_EINVAL, "the query is not acceptable", NULL },
    { 0x80041019, 0x80041019, PV_EEXIST, "it exists already", NULL },
    { 0x8004102E, 0x8004102E, PV_ENOTSUP, "the host has no such method", NULL },
    { 0x8004102F, 0x8004102F, PV_EINVAL, "the host does not accept the parameters", NULL },
    { 0x80041032, 0x80041032, PV_ECANCELED, "the host canceled it", NULL },
    { 0x80041033, 0x80041033, PV_EOFFLINE, "WMI is shutting down", NULL },
    { 0x80041045, 0x80041045, PV_ELIMIT, "WMI is too busy", NULL },
    { 0x80041058, 0x80041058, PV_EINVAL, "the query is not acceptable", NULL },
    { 0x80041062, 0x80041062, PV_EPERM, "the account lacks a privilege", NULL },
    { 0x80041069, 0x80041069, PV_ETIMEOUT, "WMI did not answer in time", NULL },
    { 0x8004106C, 0x8004106C, PV_ELIMIT, "a quota of WMI is used up",
      "Raise the limits of __ProviderHostQuotaConfiguration, or restart the service Winmgmt." },
    { 0x80070002, 0x80070003, PV_ENOENT, "the file or folder does not exist", NULL },
    { 0x80070005, 0x80070005, PV_EPERM, "access is denied",
      "If the path lies on another machine (a share, another host), the host needs Kerberos "
      "constrained delegation to act there." },
    { 0x80070008, 0x8007000E, PV_ELIMIT, "the host has no memory for it", NULL },
    { 0x80070015, 0x80070015, PV_ESTATE, "the device is not ready", NULL },
    { 0x80070020, 0x80070020, PV_EBUSY, "another program uses the file", NULL },
    { 0x80070032, 0x80070032, PV_ENOTSUP, "the host does not support it", NULL },
    { 0x80070050, 0x80070050, PV_EEXIST, "the file exists already", NULL },
    { 0x80070057, 0x80070057, PV_EINVAL, "a value is not acceptable", NULL },
    { 0x80070070, 0x80070070, PV_ENOSPC, "the volume is full", NULL },
    { 0x800700B7, 0x800700B7, PV_EEXIST, "it exists already", NULL },
    { 0x80338000, 0x80338000, PV_ENOENT, "it does not exist", NULL },
    { 0x80338012, 0x80338012, PV_ENOENT, "it does not exist", NULL },
    { 0x80338013, 0x80338013, PV_ENOTSUP, "the host does not know the action", NULL },
    { 0x80338018, 0x8033801A, PV_ENOTSUP, "the host refuses filters", NULL },
    { 0x8033801B, 0x8033801C, PV_EIO, "the host has forgotten the enumeration", NULL },
    { 0x8033801E, 0x80338022, PV_ENOTSUP, "the host grants no events of this kind", NULL },
    { TIMED_OUT, TIMED_OUT, PV_ETIMEOUT, "the host did not answer in time", NULL },
    { 0x8033803A, 0x8033803A, PV_EINVAL, "a value is not acceptable", NULL },
    { 0x8033803D, 0x8033803D, PV_ENOENT, "the host does not know the object", NULL },
    { 0x8033803F, 0x8033803F, PV_ELIMIT, "a quota of WinRM is used up",
      "Raise winrm/config/service MaxConcurrentOperationsPerUser or MaxConnections." },
    { 0x80338041, 0x80338041, PV_EINVAL, "the host does not accept the parameters", NULL },
    { 0x80338047, 0x80338049, PV_ELIMIT, "the answer does not fit into one envelope",
      "Raise winrm/config MaxEnvelopeSizekb on the host." },
    { 0x8033805A, 0x8033805B, PV_ENOENT, "the host does not know the object", NULL },
    { 0x80338104, 0x80338106, PV_EPERM, "access to WMI is denied",
      "Give the account the rights Execute Methods and Remote Enable on root/virtualization/v2 "
      "(wmimgmt.msc)." },
    { 0x80338122, 0x80338122, PV_ENOTSUP, "the host refuses the filter", NULL },
    { 0x80338126, 0x80338126, PV_ETIMEOUT, "the host did not answer in time", NULL },
    { 0x803381A5, 0x803381A8, PV_ELIMIT, "a quota of WinRM is used up",
      "Raise the quotas below winrm/config (MaxShellsPerUser, MaxConcurrentOperationsPerUser)." },
    { 0x803381E4, 0x803381EA, PV_ELIMIT, "a quota of WinRM is used up",
      "Raise the quotas below winrm/config/plugin." },
};

/* Where a fault has no number. */
static const struct {
    const char *subcode;
    int rc;
    const char *words;
} subcodes[] = {
    { "AccessDenied", PV_EPERM, "access is denied" },
    { "ActionNotSupported", PV_ENOTSUP, "the host does not know the action" },
    { "AlreadyExists", PV_EEXIST, "it exists already" },
    { "CannotProcessFilter", PV_ENOTSUP, "the host refuses the filter" },
    { "Concurrency", PV_EBUSY, "somebody else works on the object" },
    { "DeliveryModeRequestedUnavailable", PV_ENOTSUP, "the host grants no events of this kind" },
    { "DestinationUnreachable", PV_ENOENT, "it does not exist" },
    { "EncodingLimit", PV_ELIMIT, "the answer does not fit into one envelope" },
    { "FilterDialectRequestedUnavailable", PV_ENOTSUP, "the host refuses filters" },
    { "FilteringNotSupported", PV_ENOTSUP, "the host refuses filters" },
    { "InvalidEnumerationContext", PV_EIO, "the host has forgotten the enumeration" },
    { "InvalidMessageInformationHeader", PV_EINVAL, "the host does not accept the request" },
    { "InvalidParameter", PV_EINVAL, "a value is not acceptable" },
    { "InvalidSelectors", PV_ENOENT, "the host does not know the object" },
    { "QuotaLimit", PV_ELIMIT, "a quota of WinRM is used up" },
    { "SchemaValidationError", PV_EINVAL, "the host does not accept the parameters" },
    { "TimedOut", PV_ETIMEOUT, "the host did not answer in time" },
    { "UnsupportedFeature", PV_ENOTSUP, "the host does not support it" },
};

static const struct fault_code *find_code(const struct fault_code *list, unsigned count,
                                          uint32_t code)
{
    unsigned low = 0, high = count;

    while (low < high) {
        unsigned mid = low + (high - low) / 2;

        if (list[mid].code == code)
            return &list[mid];
        if (list[mid].code < code)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

const char *fault_name(uint32_t code)
{
    const struct fault_code *found = find_code(fault_codes, fault_codes_count, code);

    return found ? found->name : NULL;
}

static const struct meaning *find_meaning(uint32_t code)
{
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
        if (code >= meanings[i].first && code <= meanings[i].last)
            return &meanings[i];
    return NULL;
}

/* ------------------------------------------------------------------ reading */

static void copy_text(struct fault *out, const char *text)
{
    size_t len;

    if (!text)
        return;
    text += strspn(text, " \t\r\n");
    len = strlen(text);
    while (len > 0 && strchr(" \t\r\n", text[len - 1]))
        len--;
    if (len > 0)
        (void)str_copy_n(out->text, sizeof(out->text), text, len);
}

static bool read_number(const char *text, uint32_t *out)
{
    uint64_t value;
    int64_t negative;

    if (!text)
        return false;
    if (str_u64(text, strlen(text), UINT32_MAX, &value))
        *out = (uint32_t)value;
    else if (str_i64(text, strlen(text), &negative) && negative < 0 && negative >= INT32_MIN)
        *out = (uint32_t)negative; /* HRESULTs are signed in some answers */
    else
        return false;
    return true;
}

/* An extended error holds an object of WMI: Description, Operation, StatusCode ... */
static void read_extended(const xmlNode *node, struct fault *out)
{
    const xmlNode *object = xml_first(node);
    uint32_t code;

    if (object && xml_first(object))
        node = object;
    if (read_number(xml_child_text(node, NULL, "StatusCode"), &code)) {
        out->code = code;
        out->has_code = true;
    }
    copy_text(out, xml_child_text(node, NULL, "Description"));
}

/* The innermost one wins: each level overwrites. */
static void read_wsman_fault(const xmlNode *node, struct fault *out, unsigned depth)
{
    const xmlNode *message = xml_child(node, NULL, "Message");
    const xmlNode *provider = xml_child(message ? message : node, NULL, "ProviderFault");
    uint32_t code;

    if (depth > NESTED_MOST)
        return;
    if (read_number(xml_attr(node, NULL, "Code"), &code)) {
        if (!out->has_code)
            out->outer = code;
        out->code = code;
        out->has_code = true;
    }
    if (message && !xml_first(message))
        copy_text(out, xml_text(message));
    if (!provider)
        return;
    if (!xml_first(provider))
        copy_text(out, xml_text(provider));
    for (const xmlNode *n = xml_first(provider); n; n = xml_next(n)) {
        if (xml_is(n, NULL, "WSManFault"))
            read_wsman_fault(n, out, depth + 1);
        else if (xml_is(n, NULL, "ExtendedError"))
            read_extended(n, out);
    }
}

static void local_part(char *out, size_t cap, const char *text)
{
    const char *at = text ? text + strspn(text, " \t\r\n") : "", *colon = strchr(at, ':');
    size_t len;

    if (colon)
        at = colon + 1;
    len = strcspn(at, " \t\r\n");
    (void)str_copy_n(out, cap, at, len < cap ? len : cap - 1);
}

void fault_read(const xmlNode *fault, struct fault *out)
{
    const xmlNode *code = xml_child(fault, NS_SOAP, "Code");
    const xmlNode *sub = xml_child(code, NS_SOAP, "Subcode"), *deeper;
    const xmlNode *detail = xml_child(fault, NS_SOAP, "Detail");
    const char *uri, *slash;

    memset(out, 0, sizeof(*out));
    out->there = true;
    deeper = xml_child(sub, NS_SOAP, "Subcode");
    local_part(out->subcode, sizeof(out->subcode),
               xml_child_text(deeper ? deeper : sub, NS_SOAP, "Value"));
    copy_text(out, xml_child_text(xml_child(fault, NS_SOAP, "Reason"), NS_SOAP, "Text"));
    uri = xml_child_text(detail, NULL, "FaultDetail");
    slash = uri ? strrchr(uri, '/') : NULL;
    if (slash)
        local_part(out->detail, sizeof(out->detail), slash + 1);
    for (const xmlNode *n = xml_first(detail); n; n = xml_next(n))
        if (xml_is(n, NULL, "WSManFault"))
            read_wsman_fault(n, out, 0);
}

bool fault_is(const struct fault *f, const char *subcode)
{
    return f->there && strcmp(f->subcode, subcode) == 0;
}

bool fault_has(const struct fault *f, uint32_t code)
{
    return f->has_code && (f->code == code || f->outer == code);
}

bool fault_timed_out(const struct fault *f)
{
    return fault_is(f, "TimedOut") || fault_has(f, TIMED_OUT);
}

bool fault_too_large(const struct fault *f)
{
    return fault_is(f, "EncodingLimit") || fault_has(f, 0x80338047u) || fault_has(f, 0x80338048u) ||
           fault_has(f, 0x80338049u);
}

bool fault_no_filter(const struct fault *f)
{
    return fault_is(f, "CannotProcessFilter") || fault_is(f, "FilteringNotSupported") ||
           fault_is(f, "FilterDialectRequestedUnavailable") || fault_has(f, 0x80338018u) ||
           fault_has(f, 0x80338019u) || fault_has(f, 0x8033801Au) || fault_has(f, 0x80338122u);
}

bool fault_quota(const struct fault *f)
{
    const struct meaning *m = f->has_code ? find_meaning(f->code) : NULL;

    return fault_is(f, "QuotaLimit") || (m && m->rc == PV_ELIMIT && !fault_too_large(f));
}

/* ------------------------------------------------------------------ reporting */

static void put_native(uint32_t code, struct pv_err *err)
{
    const char *name = fault_name(code);
    char native[80];

    /* Names of the table are at most 60 characters. */
    (void)snprintf(native, sizeof(native), "0x%08X%s%s", code, name ? " " : "", name ? name : "");
    pv_err_native(err, native);
}

static int fail_with(int rc, const char *what, const char *words, const char *text,
                     struct pv_err *err)
{
    bool more = text && *text;

    return pv_fail(err, rc, "%s: %s%s%s%s", what, words, more ? " [" : "", more ? text : "",
                   more ? "]" : "");
}

int fault_fail_code(uint32_t code, const char *what, const char *text, struct pv_err *err)
{
    const struct meaning *m = find_meaning(code);
    int rc =
        fail_with(m ? m->rc : PV_EIO, what, m ? m->words : "the host reports an error", text, err);

    put_native(code, err);
    if (m && m->remedy)
        pv_err_remedy(err, "%s", m->remedy);
    return rc;
}

int fault_fail(const struct fault *f, const char *what, bool changes, struct pv_err *err)
{
    uint32_t code = f->code;
    int rc = PV_EIO;

    /* A method that runs past the time goes on in the host. */
    if (fault_timed_out(f) && changes) {
        rc = fail_with(PV_EUNKNOWN, what, "the host did not answer in time, and goes on with it",
                       f->text, err);
        put_native(TIMED_OUT, err);
        return rc;
    }
    /* What the innermost says may mean less to us than what is around it. */
    if (f->has_code && !find_meaning(code) && find_meaning(f->outer))
        code = f->outer;
    if (f->has_code && find_meaning(code)) {
        rc = fault_fail_code(code, what, f->text, err);
        put_native(f->code, err);
        return rc;
    }
    for (size_t i = 0; i < sizeof(subcodes) / sizeof(subcodes[0]); i++) {
        if (strcmp(f->subcode, subcodes[i].subcode) != 0)
            continue;
        rc = fail_with(subcodes[i].rc, what, subcodes[i].words, f->text, err);
        if (f->has_code)
            put_native(f->code, err);
        else
            pv_err_native(err, f->subcode);
        return rc;
    }
    rc = fail_with(PV_EIO, what, "the host reports an error", f->text, err);
    if (f->has_code)
        put_native(f->code, err);
    else
        pv_err_native(err, f->subcode[0] ? f->subcode : "Fault");
    return rc;
}
