# SPDX-License-Identifier: Apache-2.0
"""Enumerate, Pull, Release: plain and optimised, object, EPR and both, filters of three dialects."""

import random

from . import assoc, cimtime, store, wire, wql
from .inst import BadPath, Ref, epr_inner, instance_xml, parse_path, properties_xml
from .request import BadReference, not_found, read_epr, read_selectors
from .wire import B, CODES, Fault, N, W

MODES = ("EnumerateObject", "EnumerateEPR", "EnumerateObjectAndEPR")
POLYMORPHISM = ("IncludeSubClassProperties", "ExcludeSubClassProperties", "None")


class Context:
    __slots__ = ("id", "items", "at", "uri", "selectors", "mode", "view", "columns", "expires", "subscription", "pulling")


def cannot_process(text="", code="ERROR_WSMAN_CANNOT_PROCESS_FILTER"):
    return Fault("n:CannotProcessFilter", code, text or "The WS-Management service cannot process the request. "
                 "The filter cannot be processed.")


def enumerate_(request) -> str:
    node = request.content
    if node is None or node.uri != N or node.local != "Enumerate":
        raise schema_error("n:Enumerate is expected")
    host = request.host
    mode_node = node.child(W, "EnumerationMode")
    mode = mode_node.text.strip() if mode_node is not None else "EnumerateObject"
    if mode not in MODES:
        raise Fault("w:UnsupportedFeature", "ERROR_WSMAN_ENUMERATION_MODE_UNSUPPORTED",
                    f"The enumeration mode {mode} is not supported.", "EnumerationMode")
    poly_node = node.child(B, "PolymorphismMode")
    polymorphism = poly_node.text.strip() if poly_node is not None else POLYMORPHISM[0]
    if polymorphism not in POLYMORPHISM:
        raise Fault("w:UnsupportedFeature", "ERROR_WSMAN_UNSUPPORTED_FEATURE", f"{polymorphism} is no polymorphism mode.",
                    "PolymorphismMode")
    filter_node = node.child(W, "Filter")
    columns = None
    if filter_node is None:
        if request.wildcard:
            raise cannot_process("A wildcard resource URI needs a filter.", "ERROR_WSMAN_INVALID_URI_WMI_ENUM_WQL")
        if request.cls is None:
            raise not_found("WBEM_E_INVALID_CLASS")
        items = store.instances(host, request.cls, polymorphism != "None")
    else:
        items, columns = filtered(request, filter_node)
    if host.behaviour.shuffle:
        items = list(items)
        random.shuffle(items)
    context = Context()
    context.id = wire.new_id()
    context.items = items
    context.at = 0
    context.uri = request.uri.lower()
    context.selectors = _plain(request.selectors)
    context.mode = mode
    context.view = request.cls if polymorphism == "ExcludeSubClassProperties" and filter_node is None else None
    context.columns = columns
    context.subscription = None
    context.pulling = False
    context.expires = cimtime.now() + host.limits.enumeration_ms / 1000
    if node.child(W, "OptimizeEnumeration") is not None and host.behaviour.optimized:
        count = _number(node.child(W, "MaxElements"), 1)
        body, ended = _items(request, context, count)
        mark = ""
        shown = context.id
        if ended:
            mark, shown = "<w:EndOfSequence/>", ""
        else:
            _keep(host, context)
        return (f"<n:EnumerateResponse><n:EnumerationContext>{shown}</n:EnumerationContext>"
                f"<w:Items>{body}</w:Items>{mark}</n:EnumerateResponse>")
    _keep(host, context)
    return (f"<n:EnumerateResponse><n:EnumerationContext>{context.id}</n:EnumerationContext></n:EnumerateResponse>")


def _plain(selectors):
    return sorted((k.lower(), v.ident() if isinstance(v, Ref) else v.lower()) for k, v in selectors)


def _keep(host, context):
    now = cimtime.now()
    for old in [c.id for c in host.contexts.values() if c.subscription is None and c.expires < now]:
        del host.contexts[old]
    if len(host.contexts) >= host.limits.operations_per_user:
        raise Fault("w:QuotaLimit", "ERROR_WSMAN_QUOTA_MAX_OPERATIONS",
                    "The WS-Management service cannot process the request. The maximum number of concurrent operations "
                    "for this user has been exceeded.")
    host.contexts[context.id] = context


def _number(node, default):
    if node is None:
        return default
    text = node.text.strip()
    if not text.isdigit() or int(text) < 1:
        raise schema_error(f"{node.local} is {text!r}")
    return int(text)


def schema_error(text):
    return Fault("w:SchemaValidationError", "ERROR_WSMAN_SCHEMA_VALIDATION_ERROR",
                 f"The SOAP XML in the message does not match the corresponding XML schema definition. {text}")


def item_xml(host, context, inst) -> str:
    if context.columns is not None:
        return (f'<w:XmlFragment xmlns:p="{inst.cls.uri}" xmlns:xsi="{wire.XSI}" xmlns:cim="{wire.CIM}">'
                f"{properties_xml(inst, 'p', only=context.columns)}</w:XmlFragment>")
    if context.mode == "EnumerateObject":
        return instance_xml(inst, None, context.view)
    epr = f'<a:EndpointReference>{epr_inner(inst.ref(), host.behaviour.cim_namespace)}</a:EndpointReference>'
    if context.mode == "EnumerateEPR":
        return epr
    return f"<w:Item>{instance_xml(inst, None, context.view)}{epr}</w:Item>"


def _items(request, context, count):
    """The next items as text and whether the sequence has ended; bounded by count and envelope size."""
    host = request.host
    count = min(count, host.limits.batch_items)
    if host.behaviour.one_item:
        count = 1
    room = request.envelope - 1800
    texts = []
    while context.at < len(context.items) and len(texts) < count:
        text = item_xml(host, context, context.items[context.at])
        size = len(text.encode())
        if size > room:
            if not texts:
                raise Fault("w:EncodingLimit", "ERROR_WSMAN_MAX_ENVELOPE_SIZE_EXCEEDED",
                            "The response that the WS-Management service computed exceeds the maximum envelope size in "
                            "the request.", "MaxEnvelopeSizeExceeded")
            break
        room -= size
        texts.append(text)
        context.at += 1
    return "".join(texts), context.at >= len(context.items)


def context_of(request, node):
    holder = node.child(N, "EnumerationContext")
    if holder is None:
        raise schema_error("EnumerationContext is missing")
    context = request.host.contexts.get(holder.text.strip())
    if context is None or context.subscription is None and context.expires < cimtime.now():
        request.host.contexts.pop(holder.text.strip(), None)
        raise Fault("n:InvalidEnumerationContext", "ERROR_WSMAN_ENUMERATE_INVALID_ENUMERATION_CONTEXT",
                    "The WS-Management service cannot process the request because the enumeration context is not valid.")
    if context.uri != request.uri.lower() or context.selectors != _plain(request.selectors):
        raise Fault("w:InvalidParameter", "ERROR_WSMAN_PULL_PARAMS_NOT_SAME_AS_ENUM",
                    "The resource URI and selectors of a Pull must be those of the Enumerate.")
    return context


def pull(request) -> str:
    node = request.content
    if node is None or node.uri != N or node.local != "Pull":
        raise schema_error("n:Pull is expected")
    host = request.host
    context = context_of(request, node)
    body, ended = _items(request, context, _number(node.child(N, "MaxElements"), 1))
    if ended:
        host.contexts.pop(context.id, None)
        return f"<n:PullResponse><n:Items>{body}</n:Items><n:EndOfSequence/></n:PullResponse>"
    if host.behaviour.changing_contexts:
        del host.contexts[context.id]
        context.id = wire.new_id()
        host.contexts[context.id] = context
    context.expires = cimtime.now() + host.limits.enumeration_ms / 1000
    return (f"<n:PullResponse><n:EnumerationContext>{context.id}</n:EnumerationContext>"
            f"<n:Items>{body}</n:Items></n:PullResponse>")


def release(request) -> str:
    node = request.content
    if node is None or node.uri != N or node.local != "Release":
        raise schema_error("n:Release is expected")
    context = context_of(request, node)
    request.host.contexts.pop(context.id, None)
    return ""


# Filters

def filtered(request, node):
    dialect = (node.attr("Dialect") or "http://www.w3.org/TR/1999/REC-xpath-19991116").lower()
    if dialect == wire.WQL.lower():
        return _wql(request, node.text)
    if dialect == wire.ASSOCIATION_FILTER.lower():
        return _association(request, node), None
    if dialect == wire.SELECTOR_FILTER.lower():
        return _selector(request, node), None
    raise Fault("n:FilterDialectRequestedUnavailable", "ERROR_WSMAN_ENUMERATE_FILTER_DIALECT_REQUESTED_UNAVAILABLE",
                f"The filter dialect {dialect} is not supported.")


def _wql(request, text):
    host = request.host
    if not request.wildcard:
        raise cannot_process("The WS-Management service cannot process the request. The class name must be '*' (star) when a "
                             "WQL filter is used.", "ERROR_WSMAN_INVALID_URI_WMI_ENUM_WQL")
    if not host.behaviour.wql:
        raise cannot_process()
    try:
        query = wql.parse(text)
        if query.kind == "select":
            cls = request.namespace.get(query.cls)
            if cls is None:
                raise not_found("WBEM_E_INVALID_CLASS")
            if query.columns:
                for column in query.columns:
                    if cls.prop(column) is None:
                        raise wql.BadQuery(f"{cls.name} has no property {column}")
            rows = [i for i in store.instances(host, cls) if wql.matches(query.test, i, host.name)]
            return rows, set(query.columns) if query.columns else None
        if query.kind == "event":
            raise cannot_process("An event query needs a subscription.")
        try:
            target, _ = parse_path(query.target, request.namespace.name)
        except BadPath as error:
            raise wql.BadQuery(str(error)) from None
        inst = store.find(host, target)
        if inst is None:
            raise not_found("WBEM_E_NOT_FOUND")
        for name in (query.assoc_class, query.result_class):
            if name and request.namespace.get(name) is None:
                raise not_found("WBEM_E_INVALID_CLASS")
        if query.kind == "associators":
            return assoc.associators(host, inst, assoc_class=query.assoc_class, result_class=query.result_class,
                                     role=query.role, result_role=query.result_role), None
        return assoc.references(host, inst, query.result_class, query.role), None
    except wql.BadQuery as error:
        raise Fault("n:CannotProcessFilter", CODES["WBEM_E_INVALID_QUERY"], f"The query cannot be processed: {error}.",
                    provider=("WMI Provider", r"%systemroot%\system32\WsmWmiPl.dll"),
                    extended=CODES["WBEM_E_INVALID_QUERY"]) from None


def _association(request, node):
    host = request.host
    if not request.wildcard:
        raise cannot_process("The class name must be '*' (star) when an association filter is used.")
    if not host.behaviour.associations:
        raise cannot_process()
    if len(node.children) != 1 or node.children[0].uri != B or node.children[0].local not in (
            "AssociatedInstances", "AssociationInstances"):
        raise cannot_process("AssociatedInstances or AssociationInstances is expected.", "ERROR_WSMAN_INVALID_FILTER_XML")
    filter_ = node.children[0]
    wanted = {}
    for child in filter_.children:
        if child.uri != B or child.local not in ("Object", "AssociationClassName", "Role", "ResultClassName", "ResultRole",
                                                 "IncludeResultProperty"):
            raise cannot_process(f"{child.local} is not expected.", "ERROR_WSMAN_INVALID_FILTER_XML")
        if child.local not in ("Object", "IncludeResultProperty"):
            wanted[child.local] = child.text.strip()
    target = filter_.child(B, "Object")
    if target is None:
        raise cannot_process("Object is missing.", "ERROR_WSMAN_INVALID_FILTER_XML")
    try:
        ref = read_epr(target)
    except BadReference as error:
        raise cannot_process(str(error), "ERROR_WSMAN_INVALID_FILTER_XML") from None
    inst = store.find(host, ref)
    if inst is None:
        raise not_found("WBEM_E_NOT_FOUND")
    for name in (wanted.get("AssociationClassName"), wanted.get("ResultClassName")):
        if name and request.namespace.get(name) is None:
            raise not_found("WBEM_E_INVALID_CLASS")
    if filter_.local == "AssociatedInstances":
        return assoc.associators(host, inst, assoc_class=wanted.get("AssociationClassName"),
                                 result_class=wanted.get("ResultClassName"), role=wanted.get("Role"),
                                 result_role=wanted.get("ResultRole"))
    return assoc.references(host, inst, wanted.get("ResultClassName"), wanted.get("Role"))


def _selector(request, node):
    selectors = node.child(W, "SelectorSet")
    if selectors is None or request.cls is None:
        raise cannot_process("A SelectorSet on a class is expected.")
    wanted = read_selectors(selectors)
    rows = []
    for inst in store.instances(request.host, request.cls):
        for name, value in wanted:
            prop = inst.cls.prop(name)
            if prop is None:
                raise cannot_process(f"{inst.cls.name} has no property {name}.")
            if str(inst.get(prop.name, "")).lower() != str(value).lower():
                break
        else:
            rows.append(inst)
    return rows
