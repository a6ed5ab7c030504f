/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of the public vim25 schema that this driver sends, fields in the
 * schema's order. Only what is sent stands here.
 */
#include "drivers/vapi/encode.h"

#define REF "ManagedObjectReference"

const struct enc_type enc_types[] = {
    /* Structures. */
    { "DynamicData", NULL, { { NULL, NULL } } },
    { "PropertySpec", NULL, { { "type", "string" }, { "all", "boolean" }, { "pathSet", "string" } } },
    { "SelectionSpec", NULL, { { "name", "string" } } },
    { "TraversalSpec", "SelectionSpec",
      { { "type", "string" }, { "path", "string" }, { "skip", "boolean" },
        { "selectSet", "SelectionSpec" } } },
    { "ObjectSpec", NULL,
      { { "obj", REF }, { "skip", "boolean" }, { "selectSet", "SelectionSpec" } } },
    { "PropertyFilterSpec", NULL,
      { { "propSet", "PropertySpec" }, { "objectSet", "ObjectSpec" },
        { "reportMissingObjectsInResults", "boolean" } } },
    { "RetrieveOptions", NULL, { { "maxObjects", "int" } } },
    { "WaitOptions", NULL, { { "maxWaitSeconds", "int" }, { "maxObjectUpdates", "int" } } },
    { "EventFilterSpecByTime", NULL, { { "beginTime", "dateTime" }, { "endTime", "dateTime" } } },
    { "EventFilterSpec", NULL,
      { { "entity", "EventFilterSpecByEntity" }, { "time", "EventFilterSpecByTime" },
        { "userName", "EventFilterSpecByUsername" }, { "eventChainId", "int" },
        { "alarm", REF }, { "scheduledTask", REF }, { "disableFullMessage", "boolean" },
        { "category", "string" }, { "type", "string" }, { "tag", "string" },
        { "eventTypeId", "string" } } },

    /* Methods. */
    { "RetrieveServiceContent", NULL, { { NULL, NULL } } },
    { "CurrentTime", NULL, { { NULL, NULL } } },
    { "Login", NULL, { { "userName", "string" }, { "password", "string" }, { "locale", "string" } } },
    { "Logout", NULL, { { NULL, NULL } } },
    { "FetchUserPrivilegeOnEntities", NULL, { { "entities", REF }, { "userName", "string" } } },
    { "HasPrivilegeOnEntities", NULL,
      { { "entity", REF }, { "sessionId", "string" }, { "privId", "string" } } },

    { "CreateContainerView", NULL,
      { { "container", REF }, { "type", "string" }, { "recursive", "boolean" } } },
    { "CreateListView", NULL, { { "obj", REF } } },
    { "ResetListView", NULL, { { "obj", REF } } },
    { "ModifyListView", NULL, { { "add", REF }, { "remove", REF } } },
    { "DestroyView", NULL, { { NULL, NULL } } },

    { "RetrievePropertiesEx", NULL,
      { { "specSet", "PropertyFilterSpec" }, { "options", "RetrieveOptions" } } },
    { "ContinueRetrievePropertiesEx", NULL, { { "token", "string" } } },
    { "CancelRetrievePropertiesEx", NULL, { { "token", "string" } } },
    { "CreatePropertyCollector", NULL, { { NULL, NULL } } },
    { "DestroyPropertyCollector", NULL, { { NULL, NULL } } },
    { "CreateFilter", NULL, { { "spec", "PropertyFilterSpec" }, { "partialUpdates", "boolean" } } },
    { "DestroyPropertyFilter", NULL, { { NULL, NULL } } },
    { "WaitForUpdatesEx", NULL, { { "version", "string" }, { "options", "WaitOptions" } } },
    { "CancelWaitForUpdates", NULL, { { NULL, NULL } } },

    { "PowerOnVM_Task", NULL, { { "host", REF } } },
    { "PowerOffVM_Task", NULL, { { NULL, NULL } } },
    { "SuspendVM_Task", NULL, { { NULL, NULL } } },
    { "ResetVM_Task", NULL, { { NULL, NULL } } },
    { "ShutdownGuest", NULL, { { NULL, NULL } } },
    { "RebootGuest", NULL, { { NULL, NULL } } },
    { "CreateSnapshot_Task", NULL,
      { { "name", "string" }, { "description", "string" }, { "memory", "boolean" },
        { "quiesce", "boolean" } } },
    { "RevertToSnapshot_Task", NULL, { { "host", REF }, { "suppressPowerOn", "boolean" } } },
    { "RemoveSnapshot_Task", NULL, { { "removeChildren", "boolean" }, { "consolidate", "boolean" } } },
    { "CancelTask", NULL, { { NULL, NULL } } },

    { "CreateCollectorForEvents", NULL, { { "filter", "EventFilterSpec" } } },
    { "SetCollectorPageSize", NULL, { { "maxCount", "int" } } },
    { "ReadNextEvents", NULL, { { "maxCount", "int" } } },
    { "DestroyCollector", NULL, { { NULL, NULL } } },
    { NULL, NULL, { { NULL, NULL } } },
};
