/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an answer of vSphere: read as an envelope, streamed as a page and as changes, mapped
 * to records. */
#include <stdint.h>
#include <string.h>

#include <polyvisor/err.h>
#include <polyvisor/xml.h>

#include "drivers/vapi/events.h"
#include "drivers/vapi/map.h"
#include "drivers/vapi/soap.h"
#include "drivers/vapi/tasks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_emit(void *ctx, const struct pv_batch *batch)
{
    (void)ctx;
    (void)batch;
    return PV_OK;
}

static const struct pv_host host = { .size = sizeof(host), .emit = on_emit };

static int on_element(void *ctx, xmlNodePtr element, struct pv_err *err)
{
    const struct map *m = ctx;
    struct task_info info = { 0 };
    struct prop_values v;
    struct fault fault;
    struct moref ref;

    (void)err;
    tasks_read(element, &info);
    events_map(element, m->b);
    fault_read(element, &fault);
    fault_read_localized(element, &fault);
    if (!value_ref(xml_child(element, NULL, "obj"), &ref))
        return pv_builder_room(m->b);
    map_learn(m->tree, &ref, element);
    map_vm(m, &ref, element);
    map_host_switches(m, &ref, element);
    map_other(m, &ref, element);
    map_host_change(m, &ref, element, false);
    map_poll(m, &ref, element);
    props_read(&props_vm_watched, element, &v);
    (void)map_vm_is_news(m, &ref, &v);
    (void)map_vm_change(m, &ref, &v);
    return pv_builder_room(m->b);
}

static void stream(const uint8_t *data, size_t size)
{
    static const struct xml_match matches[] = {
        { NULL, "objects", on_element },
        { NULL, "objectSet", on_element },
        { NULL, "returnval", on_element },
        { NULL, NULL, NULL },
    };
    struct map m = { .b = pv_builder_new(&host), .tree = tree_new() };
    struct xml_stream *s = NULL;
    struct pv_err err = { 0 };

    if (m.b && m.tree && xml_stream_new(NULL, matches, &m, &s, &err) == PV_OK) {
        if (xml_stream_feed(s, (const char *)data, size, &err) == PV_OK)
            (void)xml_stream_end(s, &err);
        xml_stream_free(s);
        (void)pv_builder_send(m.b);
    }
    pv_builder_free(m.b);
    tree_free(m.tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct soap_answer answer = { 0 };
    struct pv_err err = { 0 };

    (void)soap_read((const char *)data, size, &answer, &err);
    (void)soap_returnval(&answer);
    soap_answer_free(&answer);
    stream(data, size);
    return 0;
}
