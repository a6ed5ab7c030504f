/* SPDX-License-Identifier: Apache-2.0 */
/* What a host consists of: physical adapters, services, the certificate it shows. */
#include "drivers/wmi/map.h"

#include <string.h>

#include <polyvisor/str.h>

#include "drivers/wmi/inventory_read.h"

#define UP(prop) P(Msvm_ExternalEthernetPort, prop)
#define SVC(prop) P(Win32_Service, prop)

static void put_adapter(const struct map *m, const struct cim_instance *o)
{
    const char *id = cim_str(o, UP(DeviceID)), *name = cim_str(o, UP(ElementName)), *sw;
    bool up = cim_uint(o, UP(EnabledState)) == 2;
    char mac[18];
    uint64_t speed;

    if (!id || !*id)
        return;
    pv_host_adapter_begin(m->b, id, NULL);
    pv_host_adapter_name(m->b, name && *name ? name : id);
    pv_host_adapter_adapter_type(m->b, PV_HOST_ADAPTER_TYPE_NIC);
    pv_host_adapter_link_up(m->b, up);
    if (up && cim_get_uint(o, UP(Speed), &speed) && speed > 0)
        pv_host_adapter_speed_bps(m->b, speed);
    else
        PV_CLEAR(m->b, host_adapter, speed_bps);
    if (up && cim_has(o, UP(FullDuplex)))
        pv_host_adapter_full_duplex(m->b, cim_bool(o, UP(FullDuplex)));
    else
        PV_CLEAR(m->b, host_adapter, full_duplex);
    if (map_mac(cim_str(o, UP(PermanentAddress)), mac))
        pv_host_adapter_mac(m->b, mac);
    if (!sight_has(m->s, SIGHT_PORT))
        return;
    sw = name ? map_uplink_switch(m, name) : NULL;
    if (sw)
        pv_host_adapter_switch_(m->b, sw);
    else
        PV_CLEAR(m->b, host_adapter, switch_);
}

static enum pv_service_state service_state(const char *text)
{
    static const struct {
        const char *word;
        enum pv_service_state state;
    } states[] = {
        { "Running", PV_SERVICE_STATE_RUNNING },
        { "Stopped", PV_SERVICE_STATE_STOPPED },
        { "Start Pending", PV_SERVICE_STATE_STARTING },
        { "Continue Pending", PV_SERVICE_STATE_STARTING },
        { "Stop Pending", PV_SERVICE_STATE_STOPPING },
        { "Pause Pending", PV_SERVICE_STATE_STOPPING },
        { "Paused", PV_SERVICE_STATE_PAUSED },
    };

    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
        if (sight_same(text, states[i].word))
            return states[i].state;
    return PV_SERVICE_STATE_UNKNOWN;
}

static enum pv_service_start start_mode(const char *text)
{
    /* Boot and System are how drivers start. */
    return sight_same(text, "Auto") || sight_same(text, "Boot") || sight_same(text, "System")
               ? PV_SERVICE_START_AUTOMATIC
           : sight_same(text, "Manual")   ? PV_SERVICE_START_MANUAL
           : sight_same(text, "Disabled") ? PV_SERVICE_START_DISABLED
                                          : PV_SERVICE_START_UNKNOWN;
}

static void put_service(const struct map *m, const struct cim_instance *o)
{
    const char *name = cim_str(o, SVC(Name)), *shown = cim_str(o, SVC(DisplayName));

    if (!name || !*name)
        return;
    pv_host_service_begin(m->b, name, NULL);
    pv_host_service_name(m->b, name);
    pv_host_service_label(m->b, shown && *shown ? shown : name);
    pv_host_service_state(m->b, service_state(cim_str(o, SVC(State))));
    pv_host_service_start_mode(m->b, start_mode(cim_str(o, SVC(StartMode))));
    pv_host_service_required(m->b, inventory_service_needed(name));
}

void map_host_parts(const struct map *m)
{
    const struct cim_list *ports = &m->s->lists[SIGHT_UPLINK],
                          *services = &m->s->lists[SIGHT_SERVICE];

    if (m->certificate.sha256[0]) {
        pv_host_cert_subject(m->b, m->certificate.subject);
        pv_host_cert_issuer(m->b, m->certificate.issuer);
        pv_host_cert_expires_at(m->b, m->certificate.not_after_ms);
        pv_host_cert_sha256(m->b, m->certificate.sha256);
    }
    for (size_t i = 0; i < ports->count; i++)
        put_adapter(m, ports->items[i]);
    if (sight_has(m->s, SIGHT_UPLINK) && ports->count == 0)
        pv_host_adapter_none(m->b);
    for (size_t i = 0; i < services->count; i++)
        put_service(m, services->items[i]);
}
