# SPDX-License-Identifier: Apache-2.0
"""Methods: parameters checked against the schema, handlers found by class and name, answers written."""

from . import cimtime, cimxml, schema, store, wire
from .cimxml import BadInstance, Given, JobError
from .enumeration import schema_error
from .inst import Inst, Ref, embedded_xml, epr_inner, value_text
from .jobs import Job, ended_job, type_of
from .request import BadReference, not_found, read_epr
from .wire import Fault, wmi_fault

HANDLERS = {}


def method(names, *methods):
    """Registers function(call) for methods of one or several classes."""
    def register(function):
        for name in names.split():
            for one in methods:
                HANDLERS[(name.lower(), one.lower())] = function
        return function
    return register


class Call:
    """A method call: the target instance, typed parameters, where results go."""

    def __init__(self, request, cls, name, params, target):
        self.request = request
        self.host = request.host
        self.cls = cls
        self.name = name
        self.params = params
        self.target = target
        self.given = {}
        self.out = {}
        self.cause = f"{cls.name}.{name}"
        self.created = []

    def arg(self, name, default=None):
        value = self.given.get(name)
        return default if value is None else value

    def need(self, name):
        value = self.given.get(name)
        if value is None or value == []:
            raise Refused(cimxml.INVALID_PARAMETER)
        return value

    def live(self, name, kind=None):
        """The instance behind a reference parameter; Refused when it is missing or of another class."""
        ref = self.need(name)
        inst = store.find(self.host, ref)
        if inst is None:
            raise Refused(cimxml.INVALID_PARAMETER)
        if kind and not inst.cls.isa(kind):
            raise Refused(cimxml.INVALID_PARAMETER)
        return inst

    def vm(self, name="ComputerSystem", planned=False):
        inst = self.live(name)
        if not hasattr(inst.obj, "vssd") or not hasattr(inst.obj, "snapshots") or inst.obj.planned and not planned:
            raise Refused(cimxml.INVALID_PARAMETER)
        return inst.obj

    def job(self, seconds, done, affected=(), **more):
        """Starts a job that owns the rest of the operation; the answer is 4096 (or 0 on a synchronous host)."""
        if self.host.behaviour.synchronous and not self.host.estate.faults.pending_job:
            try:
                done()
            except JobError as error:
                return error.code
            return 0
        job = self.host.estate.jobs.start(self.host, type_of(self.cause), seconds, done, affected,
                                          name=self.cause, **more)
        job.created = self.created  # filled by done(), at the end
        return self.started(job)

    def started(self, job: Job):
        self.out["Job"] = job.ref()
        return 4096


class Raw:
    """An output element that was rendered already."""
    __slots__ = ("text",)

    def __init__(self, text):
        self.text = text


class Refused(Exception):
    """The method answers this ReturnValue and does nothing."""

    def __init__(self, code):
        super().__init__(str(code))
        self.code = code


def scalar(param, node):
    if node.children:
        raise schema_error(f"{param.name} holds elements but is a {param.type}.")
    text = node.text
    if param.type == "boolean":
        if text.strip().lower() not in ("true", "false", "1", "0"):
            raise schema_error(f"{param.name} is {text!r} but is a boolean.")
        return text.strip().lower() in ("true", "1")
    if param.type in schema.INTEGERS:
        low, high = schema.INTEGERS[param.type]
        try:
            number = int(text.strip(), 10)
        except ValueError:
            raise schema_error(f"{param.name} is {text!r} but is a {param.type}.") from None
        if not low <= number <= high:
            raise Fault("w:InvalidParameter", "ERROR_WSMAN_INVALID_PARAMETER",
                        f"{param.name}: {number} does not fit {param.type}.", "InvalidValue")
        return number
    return text


def _datetime(param, node):
    if node.children:
        child = node.children[0]
        if child.uri != wire.CIM or child.local not in ("Interval", "Datetime", "Date", "Time", "CIM_DateTime"):
            raise schema_error(f"{param.name} holds {child.local}.")
        if child.local == "Interval":
            seconds = cimtime.parse_duration(child.text)
            if seconds is None:
                raise schema_error(f"{param.name} is {child.text!r}.")
            return cimtime.interval(seconds)
        return child.text
    if not cimtime.is_cim(node.text.strip()):
        raise schema_error(f"{param.name} is {node.text!r} but is a datetime.")
    return node.text.strip()


def _reference(param, node, namespace):
    if node.child(wire.A, "EndpointReference") is not None:
        raise schema_error(f"{param.name} holds an EndpointReference element.")
    try:
        ref = read_epr(node)
    except BadReference as error:
        raise schema_error(f"{param.name}: {error}") from None
    return ref


def _instance(param, node, namespace):
    """An instance-typed parameter: an element tree with its own class."""
    kind = node.attr("type", wire.XSI)
    name = node.qname(kind) if kind else None
    if name is None or not name[1].endswith("_Type"):
        raise schema_error(f"{param.name} has no xsi:type of a class.")
    cls = schema.namespace(namespace).get(name[1][:-5])
    if cls is None:
        raise schema_error(f"{name[1][:-5]} is no class.")
    values = {}
    for child in node.children:
        prop = cls.prop(child.local)
        if prop is None:
            raise schema_error(f"{cls.name} has no property {child.local}.")
        if prop.array:
            values.setdefault(prop.name, []).append(child.text)
        else:
            values[prop.name] = child.text
    return Given(cls, values)


def _nil(node):
    return (node.attr("nil", wire.XSI) or "").lower() in ("true", "1")


def read_parameters(call, node):
    """The values of all in parameters; faults for shapes, JobError for what is wrong inside instances."""
    by_name = {p.name: p for p in call.params if p.into}
    seen = {}
    for child in node.children:
        param = by_name.get(child.local)
        if param is None or child.uri.lower() != call.cls.uri.lower():
            raise schema_error(f"{call.name} has no parameter {child.local} in {child.uri!r}.")
        seen.setdefault(param.name, []).append(child)
    trouble = None
    for name, nodes in seen.items():
        param = by_name[name]
        if not param.array and len(nodes) > 1:
            raise schema_error(f"{name} is given {len(nodes)} times but is no array.")
        values = []
        for one in nodes:
            if _nil(one):
                if len(nodes) > 1:
                    raise schema_error(f"{name} holds a NULL item.")
                values = None
                break
            if param.type == "reference":
                values.append(_reference(param, one, call.cls.namespace))
            elif param.type == "datetime":
                values.append(_datetime(param, one))
            elif param.type == "embedded":
                values.append(_instance(param, one, call.cls.namespace))
            else:
                value = scalar(param, one)
                if param.embedded and param.type == "string":
                    try:
                        value = embedded(param, value, call.cls.namespace)
                    except JobError as error:
                        trouble = trouble or error
                        continue
                values.append(value)
        if values is None:
            call.given[name] = None
        else:
            call.given[name] = values if param.array else (values[0] if values else None)
    if trouble is not None:
        raise trouble


def embedded(param, text, namespace):
    if not text.strip():
        return None
    try:
        return cimxml.read(text, param.embedded, namespace)
    except BadInstance as error:
        raise JobError(cimxml.INVALID_PARAMETER, f"{param.name}: {error}") from None


def target_of(request, cls, name):
    """The instance that the method is called on; services also by CreationClassName alone."""
    given = [s for s in request.selectors if s[0].lower() != "__cimnamespace"]
    if not given:
        if cls.name in STATIC and name.lower() in STATIC[cls.name]:
            return None
        if cls.name == "Msvm_VirtualEthernetSwitchManagementService":
            raise Fault("w:InternalError", "ERROR_WSMAN_PROVIDER_FAILURE",
                        "The WS-Management service cannot process the request because of an internal error.", sender=False)
        raise wmi_fault("WBEM_E_INVALID_METHOD_PARAMETERS", "The WMI service reported that the method parameters are invalid.",
                        "w:InvalidParameter")
    partial = cls.isa("CIM_Service")
    ref = request.ref(partial=partial)
    if partial and len(ref.keys) < len(cls.keys):
        if "CreationClassName" not in ref.keys:
            raise wmi_fault("WBEM_E_INVALID_METHOD_PARAMETERS", "The method parameters are invalid.", "w:InvalidParameter")
        rows = [i for i in store.instances(request.host, cls) if store.matches(i, cls, ref.keys)]
        inst = rows[0] if len(rows) == 1 else None
    else:
        inst = store.find(request.host, ref)
    if inst is None:
        raise not_found("WBEM_E_NOT_FOUND")
    return inst


STATIC = {"Win32_Process": {"create"}, "Win32_Directory": set()}


def invoke(request, returns=None) -> str:
    cls = request.cls
    prefix, _, name = request.action.rpartition("/")
    if cls is None or prefix.lower() != cls.uri.lower():
        raise Fault("a:ActionNotSupported", "ERROR_WSMAN_ACTION_NOT_SUPPORTED",
                    "The WS-Management action is not supported by the service.")
    found = cls.methods.get(name.lower())
    if found is None:
        raise wmi_fault("WBEM_E_INVALID_METHOD", f"The class {cls.name} has no method {name}.", "a:ActionNotSupported")
    name, params = found
    node = request.content
    if node is None or node.local.lower() != f"{name}_INPUT".lower() or node.uri.lower() != cls.uri.lower():
        raise schema_error(f"{name}_INPUT of {cls.uri} is expected.")
    host_report = request.host.report
    target = target_of(request, cls, name)
    call = Call(request, target.cls if target is not None else cls, name, params, target)
    call.cls = cls if target is None else target.cls
    handler = None
    for candidate in (call.cls.name, *call.cls.ancestors):
        handler = HANDLERS.get((candidate.lower(), name.lower()))
        if handler:
            break
    call.cls = cls
    try:
        read_parameters(call, node)
        if host_report is not None:
            handler = host_report.handler(name)
        if returns is not None:
            value = returns
        elif handler is None:
            value = cimxml.NOT_SUPPORTED if cls.namespace == schema.V2 else 1
        else:
            value = handler(call)
    except Refused as refused:
        value = refused.code
    except JobError as error:
        if any(p.name == "Job" for p in params):
            value = call.started(ended_job(request.host, (error.code, error.message), call.cause,
                                           default_job(cls)))
        else:
            value = error.code
    return output(call, value)


def default_job(cls):
    return "Msvm_StorageJob" if cls.name == "Msvm_ImageManagementService" else "Msvm_ConcreteJob"


def output(call, value) -> str:
    rows = []
    host = call.host
    for param in call.params:
        if not param.out:
            continue
        result = call.out.get(param.name)
        if result is None or (param.array and not result):
            if param.name == "Job" or not param.array:
                rows.append(f'<p:{param.name} xsi:nil="true"/>')
            continue
        for one in result if param.array else [result]:
            if isinstance(one, Raw):
                rows.append(one.text)
            elif isinstance(one, Ref):
                rows.append(f"<p:{param.name}>{epr_inner(one, host.behaviour.cim_namespace)}</p:{param.name}>")
            elif isinstance(one, Inst) and param.type == "embedded":
                rows.append(embedded_xml("p", param.name, one))
            elif isinstance(one, Inst):
                rows.append(f"<p:{param.name}>{value_text(cimxml.write(one, host.name))}</p:{param.name}>")
            else:
                rows.append(f"<p:{param.name}>{value_text(one)}</p:{param.name}>")
    rows.append(f"<p:ReturnValue>{value}</p:ReturnValue>")
    return (f'<p:{call.name}_OUTPUT xmlns:xsi="{wire.XSI}" xmlns:p="{call.cls.uri}" xmlns:cim="{wire.CIM}">'
            f"{''.join(rows)}</p:{call.name}_OUTPUT>")
