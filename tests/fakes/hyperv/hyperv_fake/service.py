# SPDX-License-Identifier: Apache-2.0
"""The service: a message in, an answer out; injected faults, time limits, envelope size, ledger."""

import asyncio
import hashlib
import re

from . import enumeration, invoke, wire

from .enumeration import schema_error
from .inst import clean, instance_xml
from .request import Request, not_found
from .schema import V2
from .wire import E, Fault, N, W, X

from . import methods

methods.register()
IDENTIFY_NS = wire.WSMID
_ODD = {"s": "soap", "a": "wsa", "w": "wsman", "n": "wsen", "x": "wxf", "p": "ns1", "e": "wse", "f": "flt", "q": "z9", "r": "z10"}
_TAG = re.compile(r"(</?)(s|a|w|n|x|p|e|f|q|r):")
_DECLARED = re.compile(r"xmlns:(s|a|w|n|x|p|e|f|q|r)=")
_QNAME = re.compile(r'(xsi:type="|<soap:Value>)(s|a|w|n|x|p|e|f|q|r):')


def odd_prefixes(text):
    """The same answer with other prefixes."""
    text = _TAG.sub(lambda m: f"{m[1]}{_ODD[m[2]]}:", text)
    text = _DECLARED.sub(lambda m: f"xmlns:{_ODD[m[1]]}=", text)
    return _QNAME.sub(lambda m: f"{m[1]}{_ODD[m[2]]}:", text)


def identify_body(host, anonymous):
    number = "0.0.0" if anonymous else f"{host.build.get('nt', '10.0')}.{host.build['number']}"
    version = f"OS: {number} SP: 0.0 Stack: {host.build['stack']}"
    if host.report is not None and not anonymous:
        version = clean(host.report.identity.get("ProductVersion", version))
    return (f'<wsmid:IdentifyResponse xmlns:wsmid="{IDENTIFY_NS}"><wsmid:ProtocolVersion>{W}</wsmid:ProtocolVersion>'
            "<wsmid:ProductVendor>Microsoft Corporation</wsmid:ProductVendor>"
            f"<wsmid:ProductVersion>{version}</wsmid:ProductVersion>"
            "<wsmid:SecurityProfiles><wsmid:SecurityProfileName>"
            "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/http/basic</wsmid:SecurityProfileName>"
            "<wsmid:SecurityProfileName>http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/http/spnego-kerberos"
            "</wsmid:SecurityProfileName></wsmid:SecurityProfiles></wsmid:IdentifyResponse>")


def identify_answer(host, anonymous):
    return (f'<s:Envelope xml:lang="en-US" xmlns:s="{wire.S}"><s:Header/><s:Body>{identify_body(host, anonymous)}'
            "</s:Body></s:Envelope>")


class Answer:
    __slots__ = ("status", "text", "drop", "cut")

    def __init__(self, status, text, drop=False, cut=None):
        self.status = status
        self.text = text
        self.drop = drop
        self.cut = cut


async def handle(host, data: bytes, encoding, user) -> Answer:
    """One message of an authenticated user; recorded when the estate records."""
    box = []
    answer = await _handle(host, data, encoding, user, box)
    if host.estate.recorder is not None and box and not box[0].identify and not answer.drop:
        host.estate.recorder.add(host, box[0], answer)
    return answer


async def _handle(host, data, encoding, user, box) -> Answer:
    entry = {"action": "?", "class": None, "method": None, "selectors": {}, "bytes_in": len(data), "user": user,
             "status": None, "fault": None}
    request = None
    try:
        if len(data) > host.limits.envelope_kb * 1024:
            raise Fault("w:EncodingLimit", "ERROR_WSMAN_SERVER_ENVELOPE_LIMIT",
                        "The request exceeds the maximum envelope size of the service.", "MaxEnvelopeSize")
        request = Request(host, data, encoding)
        box.append(request)
        if request.identify:
            entry["action"] = "Identify"
            rules = host.estate.faults.look(host, "Identify", None, None)
            host.estate.ledger.request(host, entry)
            answer = await _with_rules(host, request, rules, entry, lambda: identify_answer(host, False), whole=True)
            return _sized(host, request, answer)
        request.check()
        describe(request, entry)
        entry["digest"] = digest(data)
        host.estate.ledger.request(host, entry)
        body_text = data.decode("utf-8", "replace") if host.estate.faults.rules else ""
        rules = host.estate.faults.look(host, entry["action"], entry["class"], entry["method"], body_text)
        if host.estate.player is not None:
            status, text = host.estate.player.answer(request)
            return Answer(status, text)
        if not rules:
            result = act(request)
            if asyncio.iscoroutine(result):
                result = await result
            return _sized(host, request, Answer(200, success(request, result)))
        answer = await _with_rules(host, request, rules, entry, lambda: act(request))
        return _sized(host, request, answer)
    except Fault as fault:
        if entry.get("number") is None:
            host.estate.ledger.request(host, entry)
        entry["fault"] = fault.subcode
        return _fault(host, request, fault)


def digest(data):
    """Of what is asked: the headers have a new MessageID each time."""
    return hashlib.blake2b(data[max(data.find(b":Body"), 0):], digest_size=8).hexdigest()


def describe(request, entry):
    """What the ledger says about a request."""
    action = request.action.rsplit("/", 1)[-1]
    entry["action"] = action
    if request.cls is not None:
        entry["class"] = request.cls.name
        if request.action.lower().startswith(request.cls.uri.lower() + "/"):
            entry["action"] = "Invoke"
            found = request.cls.methods.get(action.lower())
            entry["method"] = found[0] if found else action
    elif request.wildcard:
        entry["class"] = "*"
    else:
        entry["class"] = request.uri.rsplit("/", 1)[-1]
    entry["selectors"] = {k: v if isinstance(v, str) else repr(v) for k, v in request.selectors}
    if request.content is not None:
        node = request.content.child(W, "Filter")
        if node is not None:
            entry["filter"] = (node.text.strip() or (node.children[0].local if node.children else ""))[:500]
    entry["message_id"] = request.message_id


async def _with_rules(host, request, rules, entry, work, whole=False):
    """Runs work with injected rules around it. Effects of slow operations happen even after a time-out."""
    delay = sum(r.delay or 0 for r in rules)
    before = next((r for r in rules if r.fault or r.status or r.drop == "before"), None)
    returns = next((r.returns for r in rules if r.returns is not None), None)
    job = next((r.job for r in rules if r.job is not None), None)

    async def effect():
        if delay:
            await asyncio.sleep(delay / 1000)
        if before is not None:
            if before.drop == "before":
                return Answer(0, "", drop=True)
            if before.fault:
                raise injected_fault(before.fault)
            return Answer(before.status, before.body)
        host.estate.faults.pending_job = job
        try:
            result = invoke.invoke(request, returns) if returns is not None and entry["action"] == "Invoke" else work()
        finally:
            host.estate.faults.pending_job = None
        if asyncio.iscoroutine(result):
            result = await result
        text = result if whole else success(request, result)
        for rule in rules:
            if rule.replace:
                text = re.sub(rule.replace[0], rule.replace[1], text, flags=re.S)
        cut = next((r.cut for r in rules if r.cut is not None), None)
        return Answer(200, text, drop=any(r.drop == "after" for r in rules), cut=cut)

    if delay / 1000 <= request.timeout:
        return await effect()
    task = asyncio.ensure_future(effect())
    task.add_done_callback(lambda t: t.exception())
    await asyncio.sleep(request.timeout)
    raise timed_out()


def timed_out():
    return Fault("w:TimedOut", "ERROR_WSMAN_OPERATION_TIMEDOUT",
                 "The WS-Management service cannot complete the operation within the time specified in OperationTimeout.",
                 sender=False)


def injected_fault(data):
    code = data.get("code", "ERROR_WSMAN_PROVIDER_FAILURE")
    if isinstance(code, str) and code not in wire.CODES:
        code = int(code, 0)
    number = wire.CODES[code] if isinstance(code, str) else code
    text = data.get("text", "The injected fault.")
    provider = ("WMI Provider", r"%systemroot%\system32\WsmWmiPl.dll") if data.get("provider") else None
    return Fault(data.get("subcode", "w:InternalError"), number, text, data.get("detail", ""), provider=provider,
                 status=data.get("status", 500), extended=number if provider and number >= 0x80041000 else None)


def act(request):
    """The body of the answer (or a coroutine of it)."""
    if request.host.report is not None:
        request.host.report.check(request)
    if request.host.behaviour.provider_failure and request.namespace is not None and request.namespace.name == V2:
        raise wire.wmi_fault("WBEM_E_PROVIDER_LOAD_FAILURE", "The WMI provider could not be loaded.")
    action = request.action
    if request.cls is not None and action.lower().startswith(request.cls.uri.lower() + "/"):
        return invoke.invoke(request)
    if request.cls is None and not request.wildcard:
        return other_resource(request)
    if action == X + "/Get":
        return get(request)
    if action == N + "/Enumerate":
        return enumeration.enumerate_(request)
    if action == N + "/Pull":
        return pull(request)
    if action == N + "/Release":
        return enumeration.release(request)
    if action.startswith(E + "/"):
        from . import events
        return events.act(request)
    if action in (X + "/Put", X + "/Delete", X + "/Create"):
        if request.cls is None:
            raise not_found("WBEM_E_INVALID_CLASS")
        inst = find(request)
        if action == X + "/Put":
            from .put import put
            return put(request, inst)
        raise wire.wmi_fault("WBEM_E_PROVIDER_NOT_CAPABLE", "The provider does not support the operation.",
                             "w:UnsupportedFeature")
    raise Fault("a:ActionNotSupported", "ERROR_WSMAN_ACTION_NOT_SUPPORTED",
                "The WS-Management action is not supported by the service.")


def pull(request):
    node = request.content
    if node is not None:
        holder = node.child(N, "EnumerationContext")
        context = request.host.contexts.get(holder.text.strip()) if holder is not None else None
        if context is not None and context.subscription is not None:
            from . import events
            return events.pull(request, context)
    return enumeration.pull(request)


def other_resource(request):
    uri = request.uri.lower()
    if uri.startswith(wire.RSP.lower() + "/") or uri == wire.RSP.lower():
        from . import shell
        return shell.act(request)
    if uri.startswith(wire.CFG.lower()):
        from . import config
        return config.act(request)
    if uri.startswith("http://schemas.microsoft.com/wbem/wsman/1/windows/eventlog") or request.action.startswith(E):
        from . import events
        if request.action == N + "/Pull":
            return pull(request)
        return events.act(request)
    if request.action == N + "/Pull":
        return pull(request)
    raise Fault("a:DestinationUnreachable", "ERROR_WSMAN_RESOURCE_NOT_FOUND",
                "The WS-Management service cannot process the request. The resource URI is not known.",
                "InvalidResourceURI")


def find(request):
    from . import store
    if request.cls.name == "Win32_OperatingSystem" or (request.cls.namespace.endswith("cimv2") and not request.selectors
                                                       and len(store.instances(request.host, request.cls)) == 1):
        rows = store.instances(request.host, request.cls)
        if not request.selectors:
            return rows[0]
    inst = store.find(request.host, request.ref())
    if inst is None:
        raise not_found("WBEM_E_NOT_FOUND")
    return inst


def get(request):
    if request.cls is None:
        raise not_found("WBEM_E_INVALID_CLASS")
    if not request.cls.keys:
        raise schema_error(f"{request.cls.name} has no instances.")
    inst = find(request)
    return instance_xml(inst, request.host.language)


def success(request, body):
    action = request.action + "Response"
    if isinstance(body, tuple):
        action, body = body
    extra = ""
    host = request.host
    if int(host.build["number"]) >= 17763:
        from uuid import uuid4
        extra = f'<p:ActivityId>{str(uuid4()).upper()}</p:ActivityId>'
    return wire.envelope(action, request.message_id, body, host.language, extra)


def _sized(host, request, answer):
    if answer.status == 200 and len(answer.text) > 8000 and len(answer.text.encode()) > request.envelope:
        return _fault(host, request, Fault(
            "w:EncodingLimit", "ERROR_WSMAN_MAX_ENVELOPE_SIZE_EXCEEDED",
            f"The WS-Management service cannot process the request. The computed response packet size exceeds the "
            f"maximum envelope size that is allowed ({request.envelope}).", "MaxEnvelopeSizeExceeded"))
    if host.behaviour.prefixes == "odd":
        answer.text = odd_prefixes(answer.text)
    return answer


def _fault(host, request, fault):
    from .texts import local
    prefix = fault.subcode.split(":")[0]
    action = wire.FAULT_ACTIONS.get(prefix, wire.FAULT_ACTIONS["w"])
    fault.text = local(host.language, fault.text)
    text = wire.envelope(action, request.message_id if request is not None else "",
                         wire.fault_body(fault, host.fqdn, host.language), host.language)
    if host.behaviour.prefixes == "odd":
        text = odd_prefixes(text)
    return Answer(fault.status, text)
