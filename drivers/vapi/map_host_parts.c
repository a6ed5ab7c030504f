/* SPDX-License-Identifier: Apache-2.0 */
/* What a host consists of: physical adapters, services, its certificate. */
#include "drivers/vapi/map.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxml/tree.h>

#include <polyvisor/httpc.h>
#include <polyvisor/str.h>
#include <polyvisor/xml.h>

#define CERTIFICATE_MOST 16384u

/* ------------------------------------------------------------------ network adapters */

static void put_mac(const struct map *m, const char *mac)
{
    char upper[18];
    size_t n = 0;

    if (!mac || strlen(mac) >= sizeof(upper))
        return;
    for (; mac[n]; n++)
        upper[n] = (char)toupper((unsigned char)mac[n]);
    upper[n] = '\0';
    pv_host_adapter_mac(m->b, upper);
}

/* A standard switch names its adapters by key, distributed ones by device (map_other.c notes them).
 */
static bool find_switch(const struct map *m, const char *host, const struct prop_values *v,
                        const xmlNode *nic, char *out, size_t cap)
{
    const char *key = value_field(nic, "key"), *device = value_field(nic, "device");
    const struct tree_node *note;
    char name[256];

    for (const xmlNode *sw = xml_first(v->val[HOST_VSWITCH]); key && sw; sw = xml_next(sw))
        for (const xmlNode *p = xml_child(sw, NULL, "pnic"); p; p = xml_next_named(p, NULL, "pnic"))
            if (str_eq(value_text(p), key) && value_field(sw, "name")) {
                (void)snprintf(out, cap, "%s/%s", host, value_field(sw, "name"));
                return true;
            }
    (void)snprintf(name, sizeof(name), "uplink:%s/%s", host, device ? device : "");
    note = tree_find(m->tree, name);
    return note && note->parent[0] && str_copy(out, cap, note->parent);
}

static void put_nic(const struct map *m, const char *host, const struct prop_values *v,
                    const xmlNode *nic)
{
    const xmlNode *link = xml_child(nic, NULL, "linkSpeed");
    const char *device = value_field(nic, "device");
    char sw[256];
    uint64_t mb;
    bool duplex;

    if (!device)
        return;
    pv_host_adapter_begin(m->b, device, NULL);
    pv_host_adapter_name(m->b, device);
    pv_host_adapter_adapter_type(m->b, PV_HOST_ADAPTER_TYPE_NIC);
    pv_host_adapter_driver(m->b, value_field(nic, "driver"));
    pv_host_adapter_pci(m->b, value_field(nic, "pci"));
    put_mac(m, value_field(nic, "mac"));
    pv_host_adapter_link_up(m->b, link != NULL);
    if (value_field_u64(link, "speedMb", &mb) && mb < 1u << 30)
        pv_host_adapter_speed_bps(m->b, mb * 1000000);
    else
        PV_CLEAR(m->b, host_adapter, speed_bps);
    if (value_field_bool(link, "duplex", &duplex))
        pv_host_adapter_full_duplex(m->b, duplex);
    else
        PV_CLEAR(m->b, host_adapter, full_duplex);
    if (find_switch(m, host, v, nic, sw, sizeof(sw)))
        pv_host_adapter_switch_(m->b, sw);
    else
        PV_CLEAR(m->b, host_adapter, switch_);
}

/* ------------------------------------------------------------------ storage adapters */

static enum pv_host_adapter_type hba_type(const char *type)
{
    static const struct {
        const char *begins;
        enum pv_host_adapter_type is;
    } types[] = {
        { "HostFibreChannel", PV_HOST_ADAPTER_TYPE_FC },
        { "HostInternetScsi", PV_HOST_ADAPTER_TYPE_ISCSI },
        { "HostSerialAttached", PV_HOST_ADAPTER_TYPE_SAS },
        { "HostPcieHba", PV_HOST_ADAPTER_TYPE_NVME },
        { "HostTcpHba", PV_HOST_ADAPTER_TYPE_NVME },
        { "HostRdmaHba", PV_HOST_ADAPTER_TYPE_NVME },
        { "HostParallelScsi", PV_HOST_ADAPTER_TYPE_SCSI },
        { "HostBlock", PV_HOST_ADAPTER_TYPE_BLOCK },
    };

    for (size_t i = 0; type && i < sizeof(types) / sizeof(types[0]); i++)
        if (str_starts(type, types[i].begins))
            return types[i].is;
    return PV_HOST_ADAPTER_TYPE_UNKNOWN;
}

/* Fibre Channel has a signed number, SAS the digits themselves. */
static void put_wwn(const struct map *m, const xmlNode *hba, enum pv_host_adapter_type type)
{
    const char *digits = value_field(hba, "nodeWorldWideName");
    int64_t number = 0;
    uint8_t raw[8];
    char text[24];

    if (type == PV_HOST_ADAPTER_TYPE_SAS) {
        if (!digits || strlen(digits) != 16 || !str_unhex(digits, 16, raw))
            return;
    } else if (!xml_i64(xml_child(hba, NULL, "portWorldWideName"), &number)) {
        return;
    } else {
        for (unsigned i = 0; i < 8; i++)
            raw[i] = (uint8_t)((uint64_t)number >> (56 - 8 * i));
    }
    (void)snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x:%02x:%02x", raw[0], raw[1],
                   raw[2], raw[3], raw[4], raw[5], raw[6], raw[7]);
    pv_host_adapter_wwn(m->b, text);
}

static void put_hba(const struct map *m, const xmlNode *hba)
{
    enum pv_host_adapter_type type = hba_type(xml_xsi_type(hba));
    const char *device = value_field(hba, "device"), *status = value_field(hba, "status");
    uint64_t n;

    if (!device)
        return;
    pv_host_adapter_begin(m->b, device, NULL);
    pv_host_adapter_name(m->b, device);
    pv_host_adapter_adapter_type(m->b, type);
    pv_host_adapter_model(m->b, value_field(hba, "model"));
    pv_host_adapter_driver(m->b, value_field(hba, "driver"));
    pv_host_adapter_pci(m->b, value_field(hba, "pci"));
    if (str_eq(status, "online") || str_eq(status, "offline"))
        pv_host_adapter_link_up(m->b, str_eq(status, "online"));
    else
        PV_CLEAR(m->b, host_adapter, link_up);
    if (type == PV_HOST_ADAPTER_TYPE_FC && value_field_u64(hba, "speed", &n))
        pv_host_adapter_speed_bps(m->b, n);
    else if (value_field_u64(hba, "currentSpeedMb", &n) && n < 1u << 30)
        pv_host_adapter_speed_bps(m->b, n * 1000000);
    if (type == PV_HOST_ADAPTER_TYPE_FC || type == PV_HOST_ADAPTER_TYPE_SAS)
        put_wwn(m, hba, type);
    if (value_field(hba, "iScsiName"))
        pv_host_adapter_iqn(m->b, value_field(hba, "iScsiName"));
}

/* ------------------------------------------------------------------ services */

static enum pv_service_start start_mode(const char *policy)
{
    return str_eq(policy, "on")          ? PV_SERVICE_START_AUTOMATIC
           : str_eq(policy, "off")       ? PV_SERVICE_START_MANUAL
           : str_eq(policy, "automatic") ? PV_SERVICE_START_ON_DEMAND
                                         : PV_SERVICE_START_UNKNOWN;
}

static void put_service(const struct map *m, const xmlNode *service)
{
    const char *key = value_field(service, "key");
    bool yes;

    if (!key)
        return;
    pv_host_service_begin(m->b, key, NULL);
    pv_host_service_name(m->b, key);
    pv_host_service_label(m->b, value_field(service, "label"));
    if (value_field_bool(service, "running", &yes))
        pv_host_service_state(m->b, yes ? PV_SERVICE_STATE_RUNNING : PV_SERVICE_STATE_STOPPED);
    pv_host_service_start_mode(m->b, start_mode(value_field(service, "policy")));
    if (value_field_bool(service, "required", &yes))
        pv_host_service_required(m->b, yes);
}

void map_host_parts(const struct map *m, const struct moref *ref, const struct prop_values *v)
{
    size_t n = 0;

    for (const xmlNode *nic = xml_first(v->val[HOST_PNIC]); nic; nic = xml_next(nic), n++)
        put_nic(m, ref->id, v, nic);
    for (const xmlNode *hba = xml_first(v->val[HOST_HBA]); hba; hba = xml_next(hba), n++)
        put_hba(m, hba);
    /* A host out of reach has no configuration to be seen; that says nothing of its adapters. */
    if (n == 0 && v->val[HOST_PNIC])
        pv_host_adapter_none(m->b);
    for (const xmlNode *s = xml_first(v->val[HOST_SERVICE]); s; s = xml_next(s))
        put_service(m, s);
}

/* ------------------------------------------------------------------ certificate */

/* vim25 writes each byte as an element: thousands of them. */
static size_t read_bytes(const xmlNode *value, uint8_t *out, size_t cap)
{
    size_t n = 0;
    int64_t byte;

    for (const xmlNode *one = xml_first(value); one; one = xml_next(one)) {
        if (n == cap || !xml_i64(one, &byte) || byte < -128 || byte > 255)
            return 0;
        out[n++] = (uint8_t)byte;
    }
    return n;
}

static xmlNode *certificate_of(const xmlNode *object)
{
    for (const xmlNode *set = xml_child(object, NULL, "propSet"); set;
         set = xml_next_named(set, NULL, "propSet"))
        if (str_eq(value_field(set, "name"), "config.certificate"))
            return xml_child(set, NULL, "val");
    return NULL;
}

void map_host_fold(xmlNode *object)
{
    xmlNode *value = certificate_of(object);
    uint8_t *raw = value ? malloc(CERTIFICATE_MOST) : NULL;
    char *text = value ? malloc(2 * CERTIFICATE_MOST + 1) : NULL;
    size_t n = raw && text ? read_bytes(value, raw, CERTIFICATE_MOST) : 0;

    if (n > 0) {
        str_hex(raw, n, text);
        /* Digits alone: nothing in them needs escaping. */
        xmlNodeSetContent(value, (const xmlChar *)text);
    }
    free(raw);
    free(text);
}

void map_host_certificate(const struct map *m, const xmlNode *value)
{
    uint8_t *raw = value ? malloc(CERTIFICATE_MOST) : NULL;
    const char *text = value_text(value);
    struct httpc_certificate cert;
    size_t n = 0;

    if (raw && xml_first(value))
        n = read_bytes(value, raw, CERTIFICATE_MOST);
    else if (raw && text && strlen(text) <= 2 * (size_t)CERTIFICATE_MOST &&
             str_unhex(text, strlen(text), raw))
        n = strlen(text) / 2;
    if (n > 0 && httpc_certificate_read(raw, n, &cert, NULL) == PV_OK) {
        pv_host_cert_subject(m->b, cert.subject);
        pv_host_cert_issuer(m->b, cert.issuer);
        pv_host_cert_expires_at(m->b, cert.not_after_ms);
        pv_host_cert_sha256(m->b, cert.sha256);
    }
    free(raw);
}
