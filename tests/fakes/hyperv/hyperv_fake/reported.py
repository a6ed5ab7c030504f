# SPDX-License-Identifier: Apache-2.0
"""A read-only host out of a report that `polyvisor-driverhost --probe wmi --report FILE` wrote of a real one.

Identify, quotas, enumerations, queries, associations, Get, GetSummaryInformation and the questions about disk files answer as
recorded, refusals too. What was not recorded, and everything that would change something, is refused as by a host that does
not know the class or does not let the account do it.
"""

import json
import re
from pathlib import Path

from . import schema, wire
from .inst import Inst, Ref, clean
from .model import Host
from .wire import Fault

FORMAT = "polyvisor-hyperv-report/1"
_GUID = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")
_FORMS = {"Datetime", "Interval", "CIM_DateTime", "Date", "Time"}
_READING = ("/Get", "/Enumerate", "/Pull", "/Release", "/Subscribe", "/Unsubscribe", "/Renew")


class BadReport(ValueError):
    pass


# Values as they stood in the answers

def _reference(value):
    keys = "".join(
        f'<w:Selector Name="{clean(name)}">'
        f'{"<a:EndpointReference>" + _reference(key) + "</a:EndpointReference>" if isinstance(key, dict) else clean(key)}'
        "</w:Selector>" for name, key in value["ref"]["keys"].items())
    uri = f'{schema.WMI_BASE}{value["ref"]["namespace"]}/{value["ref"]["class"]}'
    return (f"<a:Address>{wire.ANONYMOUS}</a:Address><a:ReferenceParameters><w:ResourceURI>{clean(uri)}</w:ResourceURI>"
            f"<w:SelectorSet>{keys}</w:SelectorSet></a:ReferenceParameters>")


def _one(prefix, name, value, namespace):
    if value is None:
        return f'<{prefix}:{name} xsi:nil="true"/>'
    if not isinstance(value, dict):
        return f"<{prefix}:{name}>{clean(value)}</{prefix}:{name}>"
    if "ref" in value:
        return f'<{prefix}:{name} xmlns:a="{wire.A}" xmlns:w="{wire.W}">{_reference(value)}</{prefix}:{name}>'
    if "properties" in value:
        inner = "r" if prefix == "q" else "q"
        kind = value.get("type") or f'{value["class"]}_Type'
        uri = f'{schema.WMI_BASE}{namespace}/{kind.removesuffix("_Type")}'
        return (f'<{prefix}:{name} xmlns:{inner}="{clean(uri)}" xsi:type="{inner}:{kind}">'
                f'{elements(value["properties"], inner, namespace)}</{prefix}:{name}>')
    form, text = next(iter(value.items()))
    return f"<{prefix}:{name}><cim:{form}>{clean(text)}</cim:{form}></{prefix}:{name}>"


def elements(properties, prefix, namespace, only=None) -> str:
    return "".join(_one(prefix, name, item, namespace) for name, value in properties.items()
                   if only is None or name.lower() in only
                   for item in (value if isinstance(value, list) else [value]))


# Values as queries and keys compare them

def _typed(value, kind):
    if isinstance(value, list):
        return [_typed(v, kind) for v in value]
    if isinstance(value, dict):
        if "ref" in value:
            return _ref(value)
        return next(iter(value.values())) if len(value) == 1 and set(value) <= _FORMS else None
    if value is None or kind is None:
        return value
    if kind.type == "boolean":
        return value.lower() in ("true", "1")
    if kind.type in schema.INTEGERS:
        return int(value) if value.lstrip("-").isdigit() else value
    return value


def _ref(value):
    space = schema.namespace(value["ref"]["namespace"])
    cls = space.get(value["ref"]["class"]) if space else None
    if cls is None:
        return None
    return Ref(cls, {k: _ref(v) if isinstance(v, dict) else v for k, v in value["ref"]["keys"].items()})


class Recorded(Inst):
    """An instance of a report: compared by its values, written as it came."""
    __slots__ = ("properties",)

    def __init__(self, cls, properties):
        by_name = {}
        for name, value in properties.items():
            prop = cls.prop(name)
            by_name[prop.name if prop else name] = _typed(value, prop)
        super().__init__(cls, {}, by_name)
        self.properties = properties

    def written(self, prefix, only=None):
        return elements(self.properties, prefix, self.cls.namespace, only)

    def copy(self):
        return self


class Rows:
    """What an enumeration of one class was answered with."""
    __slots__ = ("items", "count", "error")

    def __init__(self, space, row):
        self.items = []
        self.count = row.get("count", 0)
        self.error = row.get("error")
        for item in row.get("instances", []):
            cls = space.get(item["class"])
            if cls is not None:
                self.items.append(Recorded(cls, item["properties"]))


def refusal(error):
    """A recorded refusal as a fault again."""
    found = re.search(r"0x[0-9A-Fa-f]{1,8}", error.get("code") or "")
    number = int(found[0], 16) if found else wire.CODES["ERROR_WSMAN_PROVIDER_FAILURE"]
    subcode = {"PV_EPERM": "w:AccessDenied", "PV_ENOENT": "a:DestinationUnreachable", "PV_ENOTSUP": "a:DestinationUnreachable",
               "PV_ELIMIT": "w:EncodingLimit", "PV_ETIMEOUT": "w:TimedOut"}.get(error.get("rc"), "w:InternalError")
    text = error.get("message") or "The recorded host refused this."
    provider = ("WMI Provider", r"%systemroot%\system32\WsmWmiPl.dll") if number >> 16 == 0x8004 else None
    return Fault(subcode, number, text, provider=provider, extended=number if provider else None)


def denied():
    return Fault("w:AccessDenied", wire.CODES["WBEM_E_ACCESS_DENIED"], "Access is denied. This host is a report: it can only "
                 "be read.", provider=("WMI Provider", r"%systemroot%\system32\WsmWmiPl.dll"),
                 extended=wire.CODES["WBEM_E_ACCESS_DENIED"])


def invalid_class():
    from .request import not_found
    return not_found("WBEM_E_INVALID_CLASS")


class ReportHost(Host):
    """A host that answers out of a report."""

    def __init__(self, estate, index, path):
        text = json.loads(Path(path).read_text(encoding="utf-8"))
        if not isinstance(text, dict) or text.get("format") != FORMAT:
            raise BadReport(f"{path} is no report: its format has to be {FORMAT}")
        super().__init__(estate, index, f"REPORT{index + 1:02d}")
        self.report = self
        self.masked = text["masked"]
        self.tables = {}
        for name, classes in text["namespaces"].items():
            space = schema.namespace(name)
            if space is not None:
                self.tables[space.name] = {n.lower(): Rows(space, row) for n, row in classes.items()}
        self.methods = text.get("methods", {})
        self._named()
        self._identity(text.get("identity", {}))
        self._quotas(text.get("quotas", {}))
        features = text.get("features", {})
        self.behaviour.wql = features.get("wql", True)
        self.behaviour.associations = features.get("associations", True)
        self.behaviour.subscriptions = features.get("events", {}).get("granted", False)
        self.by_ident = {}
        for classes in self.tables.values():
            for rows in classes.values():
                for inst in rows.items:
                    self.by_ident.setdefault(inst.ref().ident(), inst)

    # What the transport and the texts of faults need

    def _named(self):
        box = next(iter(self._rows(schema.CIMV2, "Win32_ComputerSystem")), None)
        name = str(box.get("Name", "")) if box else ""
        if name and not self.masked:
            self.name = name
            self.domain = str(box.get("Domain", "WORKGROUP"))

    def _identity(self, identity):
        self.identity = identity
        found = re.search(r"OS: \d+\.\d+\.(\d+).*Stack: (\S+)", identity.get("ProductVersion", ""))
        self.build = {**self.build, "number": found[1], "stack": found[2]} if found else self.build

    def _quotas(self, quotas):
        self.quotas_error = quotas.get("error")
        for ours, theirs in (("envelope_kb", "MaxEnvelopeSizekb"), ("timeout_ms", "MaxTimeoutms"),
                             ("batch_items", "MaxBatchItems"), ("operations_per_user", "MaxConcurrentOperationsPerUser"),
                             ("connections", "MaxConnections"), ("enumeration_ms", "EnumerationTimeoutms"),
                             ("shells_per_user", "MaxShellsPerUser")):
            if quotas.get(theirs):
                setattr(self.limits, ours, quotas[theirs])

    def has_namespace(self, name):
        """Not there, if every class of it was refused for that."""
        table = self.tables.get(name, {})
        return any(rows.error is None or "INVALID_NAMESPACE" not in (rows.error.get("code") or "") for rows in table.values())

    @property
    def vm_count(self):
        return sum(bool(_GUID.fullmatch(str(i.get("Name")))) for i in self._rows(schema.V2, "Msvm_ComputerSystem"))

    @property
    def shortened(self):
        """Classes of which the report has fewer instances than the host: --samples was too small."""
        return sorted(name for table in self.tables.values() for name, rows in table.items() if len(rows.items) < rows.count)

    # Instances

    def _rows(self, namespace, name):
        rows = self.tables.get(namespace, {}).get(name.lower())
        return rows.items if rows else []

    def instances(self, cls, deep=True):
        rows = self.tables.get(cls.namespace, {}).get(cls.name.lower())
        if rows is None:
            raise invalid_class()
        if rows.error is not None:
            raise refusal(rows.error)
        return rows.items if deep else [i for i in rows.items if i.cls is cls]

    def find(self, ref):
        for derived in schema.NAMESPACES[ref.cls.namespace].subclasses(ref.cls.name):
            found = self.by_ident.get(Ref(derived, ref.keys).ident())
            if found is not None:
                return found
        return None

    def associations(self, namespace):
        """Association classes that were recorded."""
        space = schema.NAMESPACES[namespace]
        found = [space.get(name) for name, rows in self.tables.get(namespace, {}).items() if rows.error is None]
        return [cls for cls in found if cls is not None and cls.association and len(cls.keys) == 2]

    # Methods

    def check(self, request):
        """Refuses what is not about reading."""
        if request.action.endswith(_READING) and not request.uri.lower().startswith(wire.RSP.lower()):
            return
        if request.cls is not None and request.action.lower().startswith(request.cls.uri.lower() + "/"):
            return
        raise denied()

    def handler(self, name):
        """What answers a method: a function of the call."""
        if name == "GetSummaryInformation":
            return self._summary
        if name in ("GetVirtualHardDiskSettingData", "GetVirtualHardDiskState"):
            return self._disk_file
        raise denied()

    def _answered(self, call, properties, only=None):
        """Out parameters as they were recorded; what was an array stays one."""
        from .invoke import Raw
        space = call.cls.namespace
        for param in call.params:
            value = properties.get(param.name)
            if not param.out or value is None or param.name == "ReturnValue":
                continue
            items = [v for v in (value if isinstance(value, list) else [value]) if only is None or only(v)]
            shown = [Raw(_one("p", param.name, v, space)) for v in items]
            call.out[param.name] = shown if param.array else shown[0]
        return int(properties.get("ReturnValue", 0))

    def _summary(self, call):
        recorded = self.methods.get("GetSummaryInformation", {})
        answers = recorded.get("answers") or [a for a in [recorded.get("answer")] if a]
        if not answers:
            raise refusal(recorded["error"]) if "error" in recorded else denied()
        wanted = {str(r.keys.get("InstanceID", "")).lower() for r in call.arg("SettingData") or []}
        items = []
        for answer in answers:
            value = answer["properties"].get("SummaryInformation") or []
            items += value if isinstance(value, list) else [value]

        def asked(item):
            return not wanted or f"microsoft:{item['properties'].get('Name', '')}".lower() in wanted
        return self._answered(call, {**answers[0]["properties"], "SummaryInformation": items}, lambda v: asked(v)
                              if isinstance(v, dict) and "properties" in v else True)

    def _disk_file(self, call):
        path = self.norm(call.need("Path"))
        for file in self.methods.get("disk_files", {}).get("files", []):
            if self.norm(file["path"]) == path:
                recorded = file[call.name]
                if "answer" not in recorded:
                    raise refusal(recorded["error"])
                return self._answered(call, recorded["answer"]["properties"])
        raise Fault("w:InternalError", wire.CODES["WBEM_E_NOT_FOUND"], "The report does not tell of this file.", sender=False,
                    provider=("WMI Provider", r"%systemroot%\system32\WsmWmiPl.dll"), extended=wire.CODES["WBEM_E_NOT_FOUND"])
