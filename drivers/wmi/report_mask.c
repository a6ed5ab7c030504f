/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/wmi/report_mask.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/id.h>
#include <polyvisor/str.h>

#include "drivers/wmi/cim.h"

#define INSTANCE_MOST (1u << 20)

void mask_init(struct mask *m, bool on)
{
    m->on = on;
    id_random(m->key, sizeof(m->key));
}

/* Values of these say nothing about whose host it is. */
static const char *const open_names[] = {
    "AdditionalRecoveryInformation",
    "AddressOnParent",
    "AllocationUnits",
    "Architecture",
    "BaseUnits",
    "BootFirmwareType",
    "BuildNumber",
    "BuildType",
    "BusType",
    "CSDVersion",
    "CreationClassName",
    "CSCreationClassName",
    "CurrentTimeZone",
    "DMTFSpecVersion",
    "DriverVersionString",
    "FileSystem",
    "InterfaceDescription",
    "InterfaceType",
    "Manufacturer",
    "MediaType",
    "MigrationType",
    "Model",
    "OSArchitecture",
    "OSLanguage",
    "OtherEnabledState",
    "OtherResourceType",
    "OtherTransportType",
    "Priority",
    "ProductVersion",
    "QuantumUnits",
    "ResourceSubType",
    "SMBIOSBIOSVersion",
    "StartMode",
    "State",
    "Status",
    "StatusDescriptions",
    "SystemCreationClassName",
    "Units",
    "VirtualQuantityUnits",
    "VirtualSystemSubType",
    "VirtualSystemType",
    "VirtualSystemVersion",
    "Version",
    "WeightUnits",
    "SystemType",
    "CodeSet",
    "CountryCode",
    "Locale",
};

static bool is_open_name(const char *name)
{
    for (size_t i = 0; i < sizeof(open_names) / sizeof(open_names[0]); i++)
        if (strcasecmp(name, open_names[i]) == 0)
            return true;
    return false;
}

static void digest(const struct mask *m, const char *text, size_t len, uint8_t out[32])
{
    char lower[256];
    size_t n = len < sizeof(lower) ? len : sizeof(lower);
    unsigned got = 32;

    /* The same name in other case is the same name. */
    for (size_t i = 0; i < n; i++)
        lower[i] = (char)tolower((unsigned char)text[i]);
    memset(out, 0, 32);
    (void)HMAC(EVP_sha256(), m->key, sizeof(m->key), (const uint8_t *)lower, n, out, &got);
}

static void put_word(const struct mask *m, struct buf *out, const char *text, size_t len)
{
    uint8_t d[32];
    char hex[9];

    digest(m, text, len, d);
    str_hex(d, 4, hex);
    buf_printf(out, "~%s", hex);
}

/* ------------------------------------------------------------------ shapes */

static bool is_guid(const char *at)
{
    for (unsigned i = 0; i < 36; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (at[i] != '-')
                return false;
        } else if (!isxdigit((unsigned char)at[i])) {
            return false;
        }
    }
    return true;
}

static void put_guid(const struct mask *m, struct buf *out, const char *at)
{
    uint8_t d[32];
    char hex[33];

    digest(m, at, 36, d);
    str_hex(d, 16, hex);
    for (unsigned i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20)
            buf_char(out, '-');
        buf_char(out, (char)toupper((unsigned char)hex[i]));
    }
}

static bool has_guid(const char *text)
{
    for (size_t len = strlen(text); len >= 36; text++, len--)
        if (is_guid(text))
            return true;
    return false;
}

/* Only what identifiers are made of, once GUIDs are taken out: "Microsoft:", digits, D, L, ... */
static bool is_identifier(const char *text)
{
    static const char *const words[] = {
        "Microsoft", "Definition", "Default",     "Minimum",  "Maximum", "Increment",
        "D",         "L",          "B",           "C",        "SubType", "System",
        "Hyper-V",   "Realized",   "Planned",     "Snapshot", "root",    "virtualization",
        "v2",        "Volume",     "GuestNetwork"
    };
    size_t n;

    if (!has_guid(text) && strncmp(text, "Microsoft:", 10) != 0)
        return false;
    while (*text) {
        bool known = false;

        if (strlen(text) >= 36 && is_guid(text)) {
            text += 36;
            continue;
        }
        n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-");
        if (n == 0) {
            if (!strchr("0123456789:\\/{}?.,;_ ", *text))
                return false;
            text++;
            continue;
        }
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]) && !known; i++)
            known = strlen(words[i]) == n && strncasecmp(words[i], text, n) == 0;
        if (!known)
            return false;
        text += n;
    }
    return true;
}

static void put_identifier(const struct mask *m, struct buf *out, const char *text)
{
    while (*text) {
        if (strlen(text) >= 36 && is_guid(text)) {
            put_guid(m, out, text);
            text += 36;
        } else {
            buf_char(out, *text++);
        }
    }
}

static bool is_number(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && len < 21 && strspn(text, "-+.0123456789") == len && !strchr(text + 1, '-');
}

static bool is_truth(const char *text)
{
    return strcasecmp(text, "true") == 0 || strcasecmp(text, "false") == 0;
}

/* Four numbers between dots, anywhere: "10.0.20348" is a version, "10.1.2.3" an address. */
static bool has_ipv4(const char *text)
{
    unsigned numbers = 0;

    while (*text) {
        size_t n = strspn(text, "0123456789");

        numbers = n == 0 || n > 3 ? 0 : numbers + 1;
        if (numbers == 4)
            return true;
        text += n;
        if (*text && *text != '.')
            numbers = 0;
        text += *text != '\0';
    }
    return false;
}

/* What names a thing even if it is only digits. With regard to case: "MaximumActive" has no Mac in
 * it. */
static bool is_secret_name(const char *name)
{
    static const char *const parts[] = { "Serial",  "Mac",  "MAC",  "Address",     "AssetTag",
                                         "Trustee", "Wwnn", "Wwpn", "ProcessorId", "WWN" };

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (strstr(name, parts[i]) && !strstr(name, "AddressOnParent") &&
            !strstr(name, "AddressFamily") && !strstr(name, "AddressState") &&
            !strstr(name, "AddressWidth") && !strstr(name, "Machine"))
            return true;
    return false;
}

/* ------------------------------------------------------------------ addresses */

/* 00155D0A0B0C, 00-15-5D-..., 00:15:5D:...: another one, of the kind that anybody may use. */
static bool put_mac(const struct mask *m, struct buf *out, const char *text)
{
    size_t len = strlen(text), digits = 0;
    char plain[13], mark = len == 17 ? text[2] : '\0';
    uint8_t d[32];

    if (len != 12 && (len != 17 || (mark != '-' && mark != ':')))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (mark && i % 3 == 2) {
            if (text[i] != mark)
                return false;
        } else if (!isxdigit((unsigned char)text[i])) {
            return false;
        } else {
            plain[digits++] = text[i];
        }
    }
    plain[digits] = '\0';
    if (strspn(plain, "0") == digits) {
        buf_text(out, text);
        return true;
    }
    digest(m, plain, digits, d);
    d[0] = (uint8_t)((d[0] & 0xfc) | 2);
    for (unsigned i = 0; i < 6; i++)
        buf_printf(out, "%s%02X", mark && i ? (char[2]){ mark, '\0' } : "", d[i]);
    return true;
}

/* One address as another of the same reach: link-local stays that, all others become private ones.
 */
static bool put_ip(const struct mask *m, struct buf *out, const char *text, size_t len)
{
    char one[INET6_ADDRSTRLEN + 1], shown[INET6_ADDRSTRLEN];
    uint8_t a[16], d[32];

    if (len == 0 || len >= sizeof(one))
        return false;
    memcpy(one, text, len);
    one[len] = '\0';
    digest(m, one, len, d);
    if (inet_pton(AF_INET, one, a) == 1) {
        if (a[0] == 0 || a[0] == 127 || a[0] == 255)
            buf_text(out, one);
        else if (a[0] == 169 && a[1] == 254)
            buf_printf(out, "169.254.%u.%u", d[0], d[1]);
        else
            buf_printf(out, "10.%u.%u.%u", d[0], d[1], d[2]);
        return true;
    }
    if (inet_pton(AF_INET6, one, a) != 1)
        return false;
    if (memcmp(a, (uint8_t[15]){ 0 }, 15) != 0) {
        bool local = a[0] == 0xfe && (a[1] & 0xc0) == 0x80;

        memcpy(a, d, sizeof(a));
        a[0] = local ? 0xfe : 0xfd;
        a[1] = local ? 0x80 : 0;
        if (local)
            memset(a + 2, 0, 6);
    }
    if (!inet_ntop(AF_INET6, a, shown, sizeof(shown)))
        return false;
    buf_text(out, shown);
    return true;
}

/* Addresses and nothing else, one or several (guests join theirs by semicolons). */
static bool put_addresses(const struct mask *m, struct buf *out, const char *text)
{
    struct buf all;
    bool ok = *text != '\0';

    buf_init(&all, INSTANCE_MOST);
    while (*text && ok) {
        size_t n = strcspn(text, ";, ");

        ok = put_ip(m, &all, text, n);
        text += n;
        while (*text && strchr(";, ", *text))
            buf_char(&all, *text++);
    }
    if (ok && buf_ok(&all) && all.data)
        buf_text(out, all.data);
    else
        ok = false;
    buf_free(&all);
    return ok;
}

static bool may_be_mac(const char *name)
{
    return strstr(name, "Address") || strstr(name, "Mac") || strstr(name, "MAC");
}

/* Words of Windows' own that say what a thing is, in properties that else hold people's names. */
static bool is_open_word(const char *text)
{
    static const char *const words[] = {
        "vmms",
        "Virtual Machine",
        "Virtual Machine Configuration",
        "Physical Disk",
        "Network Name",
        "IP Address",
        "Majority",
        "OK",
    };

    for (size_t i = 0; i < PV_COUNT(words); i++)
        if (strcmp(text, words[i]) == 0)
            return true;
    return false;
}

/* An object path keeps its form: others refer to the same object. */
static bool put_object_path(const struct mask *m, struct buf *out, const char *text)
{
    struct arena *a = strcasestr(text, "root\\") || strcasestr(text, "root/")
                          ? arena_new(8192, INSTANCE_MOST)
                          : NULL;
    const struct cim_ref *r = a ? cim_ref_parse(a, text, CIM_NS_VIRTUALIZATION) : NULL;
    struct cim_ref masked;
    const char *path = NULL;

    if (r && r->nkeys) {
        masked = *r;
        masked.host = r->host ? "~host" : NULL;
        for (unsigned i = 0; i < r->nkeys; i++) {
            struct buf key;

            if (!r->keys[i].value)
                continue;
            buf_init(&key, INSTANCE_MOST);
            mask_put(m, &key, r->keys[i].name, r->keys[i].value);
            masked.keys[i].value = arena_strdup(a, key.data ? key.data : "");
            buf_free(&key);
        }
        path = cim_ref_path(a, &masked, masked.host);
        if (path)
            buf_text(out, path);
    }
    arena_free(a);
    return path != NULL;
}

static bool is_path(const char *text)
{
    return (isalpha((unsigned char)text[0]) && text[1] == ':' && text[2] == '\\') ||
           (text[0] == '\\' && text[1] == '\\');
}

/* C:\~1\~2\~3.vhdx */
static void put_path(const struct mask *m, struct buf *out, const char *text)
{
    bool drive = text[1] == ':';

    if (drive) {
        buf_append(out, text, 2);
        text += 2;
    }
    while (*text) {
        size_t n = strcspn(text, "\\");
        const char *end = text + n, *dot = NULL;

        for (const char *p = text; p < end; p++)
            if (*p == '.')
                dot = p;
        if (n > 0 && !(n == 1 && strchr("?.", *text))) {
            if (dot && *end == '\0' && end - dot <= 6) {
                put_word(m, out, text, (size_t)(dot - text));
                buf_append(out, dot, (size_t)(end - dot));
            } else {
                put_word(m, out, text, n);
            }
        } else {
            buf_append(out, text, n);
        }
        text = end;
        if (*text)
            buf_char(out, *text++);
    }
}

/* ------------------------------------------------------------------ instances in texts */

static bool is_open_kvp(const char *name)
{
    static const char *const names[] = { "OSName",
                                         "OSVersion",
                                         "OSBuildNumber",
                                         "OSMajorVersion",
                                         "OSMinorVersion",
                                         "OSPlatformId",
                                         "ProcessorArchitecture",
                                         "IntegrationServicesVersion",
                                         "OSEditionId",
                                         "SuiteMask",
                                         "ProductType",
                                         "ServicePackMajor",
                                         "ServicePackMinor",
                                         "CSDVersion",
                                         "OSVendor",
                                         "OSSignature",
                                         "OSKernelVersion" };

    for (size_t i = 0; name && i < sizeof(names) / sizeof(names[0]); i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return false;
}

static void mask_instance(const struct mask *m, struct arena *a, struct cim_instance *o)
{
    bool open = o->cls == CIM(Msvm_KvpExchangeDataItem) &&
                is_open_kvp(cim_str(o, P(Msvm_KvpExchangeDataItem, Name)));

    for (unsigned i = 0; i < o->cls->nprops; i++) {
        const struct cim_prop *p = &o->cls->props[i];

        if ((p->type != CIM_STRING && p->type != CIM_EMBEDDED) || open ||
            (o->cls == CIM(Msvm_KvpExchangeDataItem) && strcmp(p->name, "Name") == 0))
            continue;
        for (uint32_t k = 0; k < o->values[i].count; k++) {
            struct cim_item *item = &o->values[i].items[k];
            struct buf text;

            if (!item->text)
                continue;
            buf_init(&text, INSTANCE_MOST);
            mask_put(m, &text, p->name, item->text);
            item->text = buf_ok(&text) && text.data ? arena_strdup(a, text.data) : "";
            buf_free(&text);
        }
    }
}

/* What cannot be read is not shown. */
static void put_instance(const struct mask *m, struct buf *out, const char *text)
{
    struct arena *a = arena_new(8192, 4 * INSTANCE_MOST);
    struct cim_instance *o = NULL;

    if (a && cim_parse_xml(a, text, CIM_NS_VIRTUALIZATION, &o, NULL) == PV_OK && o->cls) {
        mask_instance(m, a, o);
        (void)cim_put_xml(out, o, NULL);
    } else {
        buf_text(out, "~instance");
    }
    arena_free(a);
}

void mask_put(const struct mask *m, struct buf *out, const char *name, const char *text)
{
    if (!m->on || !*text || is_truth(text) || is_open_word(text))
        buf_text(out, text);
    else if (strncmp(text, "<INSTANCE", 9) == 0)
        put_instance(m, out, text);
    else if (!is_open_name(name) &&
             (put_addresses(m, out, text) ||
              (is_secret_name(name) && may_be_mac(name) && put_mac(m, out, text))))
        return;
    else if (is_secret_name(name) || (has_ipv4(text) && !is_open_name(name)))
        put_word(m, out, text, strlen(text));
    else if (is_number(text))
        buf_text(out, text);
    else if (is_open_name(name) || is_identifier(text) || str_starts(text, "Microsoft Windows"))
        put_identifier(m, out, text);
    else if (put_object_path(m, out, text))
        return;
    else if (is_path(text))
        put_path(m, out, text);
    else
        put_word(m, out, text, strlen(text));
}
