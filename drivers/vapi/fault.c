/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/vapi/fault.h"

#include <stdio.h>
#include <string.h>

#include <polyvisor/err.h>
#include <polyvisor/str.h>
#include <polyvisor/xml.h>

struct row {
    const char *type;
    int rc;
    const char *words; /* NULL: the type's name is all we know */
};

/* The faults' meaning for us. */
static const struct row rows[] = {
    { "NotAuthenticated", PV_EAUTH, "the server has ended the sign-in" },
    { "InvalidLogin", PV_EAUTH, "the user name or the password is wrong" },
    { "NoPermission", PV_EPERM, "the account lacks a privilege" },
    { "ManagedObjectNotFound", PV_ENOENT, "the object does not exist any more" },
    { "NotFound", PV_ENOENT, "it was not found" },
    { "InvalidPowerState", PV_ESTATE, "the VM's power state does not allow it" },
    { "InvalidState", PV_ESTATE, "the object's state does not allow it" },
    { "InvalidVmState", PV_ESTATE, "the VM's state does not allow it" },
    { "InvalidHostState", PV_ESTATE, "the host's state does not allow it" },
    { "MethodDisabled", PV_ESTATE, "the operation is disabled for this object" },
    { "VmToolsUpgradeFault", PV_ESTATE, "VMware Tools cannot be upgraded now" },
    { "ToolsUnavailable", PV_ESTATE, "VMware Tools is not running in the guest" },
    { "QuestionPending", PV_ESTATE, "the VM waits for an answer to a question" },
    { "InvalidSnapshotState", PV_ESTATE, "the snapshot's state does not allow it" },
    { "SnapshotDisabled", PV_ESTATE, "snapshots are disabled for the VM" },
    { "DuplicateName", PV_EEXIST, "the name is taken" },
    { "AlreadyExists", PV_EEXIST, "it exists already" },
    { "FileAlreadyExists", PV_EEXIST, "the file exists already" },
    { "TaskInProgress", PV_EBUSY, "another task works on the object" },
    { "ConcurrentAccess", PV_EBUSY, "somebody else changed the object at the same time" },
    { "ResourceInUse", PV_EBUSY, "it is in use" },
    { "FileLocked", PV_EBUSY, "a file of the VM is locked" },
    { "InvalidArgument", PV_EINVAL, "a value is not acceptable" },
    { "InvalidRequest", PV_EINVAL, "the server does not understand the request" },
    { "InvalidName", PV_EINVAL, "the name is not acceptable" },
    { "InvalidDeviceSpec", PV_EINVAL, "a device is not acceptable" },
    { "InvalidProperty", PV_EINVAL, "the server does not know a property" },
    { "InvalidType", PV_EINVAL, "the server does not know a type" },
    { "NotSupported", PV_ENOTSUP, "the server does not support it" },
    { "MethodNotFound", PV_ENOTSUP, "the server does not have this method" },
    { "NotImplemented", PV_ENOTSUP, "the server does not have this method" },
    { "RestrictedVersion", PV_ENOTSUP,
      "the licence does not allow it (a free ESXi licence refuses every change)" },
    { "InsufficientResourcesFault", PV_ENOSPC, "there are not enough resources" },
    { "InsufficientCpuResourcesFault", PV_ENOSPC, "there is not enough CPU" },
    { "InsufficientMemoryResourcesFault", PV_ENOSPC, "there is not enough memory" },
    { "InsufficientHostCapacityFault", PV_ENOSPC, "the host has not enough capacity" },
    { "InsufficientFailoverResourcesFault", PV_ENOSPC,
      "the cluster's failover reserve does not allow it" },
    { "NoDiskSpace", PV_ENOSPC, "the datastore is full" },
    { "FileFault", PV_ENOSPC, "a file could not be written" },
    { "CannotAccessFile", PV_EIO, "a file cannot be accessed" },
    { "FileNotFound", PV_EIO, "a file is missing" },
    { "HostNotConnected", PV_EIO, "the host is not connected" },
    { "HostCommunication", PV_EIO, "the host does not answer" },
    { "InaccessibleDatastore", PV_EIO, "a datastore cannot be reached" },
    { "Timedout", PV_EIO, "the server gave up waiting" },
    { "RequestCanceled", PV_ECANCELED, "it was canceled" },
    { "OutOfBounds", PV_ELIMIT, "the server is at a limit" },
    { NULL, PV_EIO, NULL },
};

static const struct row *find(const char *type)
{
    const struct row *r = rows;

    while (r->type && strcmp(r->type, type) != 0)
        r++;
    return r;
}

int fault_rc(const char *type)
{
    return find(type)->rc;
}

bool fault_is(const struct fault *f, const char *type)
{
    return strcmp(f->type, type) == 0;
}

static void copy_child(char *out, size_t cap, const xmlNode *parent, const char *name)
{
    const char *text = xml_child_text(parent, NULL, name);

    (void)str_copy(out, cap, text ? text : "");
}

/* `detail` is the fault itself: its type is in xsi:type. */
static void read_fields(const xmlNode *detail, struct fault *out)
{
    const char *type = xml_xsi_type(detail);

    if (type) {
        (void)str_copy(out->type, sizeof(out->type), type);
    } else if (detail) {
        /* SOAP's own way: the element is called after the type, with "Fault" behind it. */
        const char *name = xml_name(detail);
        size_t len = strlen(name);

        if (len > 5 && str_ends(name, "Fault"))
            len -= 5;
        (void)str_copy_n(out->type, sizeof(out->type), name, len);
    }
    copy_child(out->privilege, sizeof(out->privilege), detail, "privilegeId");
    copy_child(out->existing, sizeof(out->existing), detail, "existingState");
    copy_child(out->object, sizeof(out->object), detail, "obj");
    copy_child(out->property, sizeof(out->property), detail, "invalidProperty");
    if (!out->property[0])
        copy_child(out->property, sizeof(out->property), detail, "name");
}

void fault_read(const xmlNode *fault, struct fault *out)
{
    memset(out, 0, sizeof(*out));
    copy_child(out->text, sizeof(out->text), fault, "faultstring");
    read_fields(xml_first(xml_child(fault, NULL, "detail")), out);
    if (!out->type[0])
        (void)str_copy(out->type, sizeof(out->type), "Fault");
}

void fault_read_localized(const xmlNode *error, struct fault *out)
{
    memset(out, 0, sizeof(*out));
    copy_child(out->text, sizeof(out->text), error, "localizedMessage");
    read_fields(xml_child(error, NULL, "fault"), out);
    if (!out->type[0])
        (void)str_copy(out->type, sizeof(out->type), "Fault");
}

/* The simulator's text is the name of a type of its own. */
static bool says_something(const struct fault *f)
{
    return f->text[0] && !str_starts(f->text, "*types.") && strcmp(f->text, f->type) != 0;
}

int fault_fail(const struct fault *f, const char *what, struct pv_err *err)
{
    const struct row *r = find(f->type);
    const char *words = r->words ? r->words : "the server reports a fault";
    int rc = r->rc ? r->rc : PV_EIO;
    const char *more = says_something(f) ? f->text : "";

    rc =
        pv_fail(err, rc, "%s: %s%s%s%s%s%s%s", what, words, f->property[0] ? " (" : "", f->property,
                f->property[0] ? ")" : "", more[0] ? " [" : "", more, more[0] ? "]" : "");
    pv_err_native(err, f->type);
    if (f->privilege[0])
        pv_err_needs(err, f->privilege);
    return rc;
}
