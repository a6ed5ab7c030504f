# SPDX-License-Identifier: Apache-2.0
"""One request: the SOAP header read and judged, selectors and options, what it is about."""

import re
from urllib.parse import unquote

from . import cimtime, schema, wire, xmlread
from .inst import Ref
from .wire import Fault

_WMI = re.compile(re.escape(schema.WMI_BASE) + r"(?P<ns>.+)/(?P<cls>[^/?]+)(?:\?(?P<keys>.*))?$", re.IGNORECASE)
_DMTF = re.compile(r"http://schemas\.dmtf\.org/wbem/wscim/1/cim-schema/2/(?P<cls>\w+|\*)$", re.IGNORECASE)
_KNOWN = {wire.A, wire.W, wire.P, wire.E, wire.N}


class Request:
    """The parsed message. resource is a class, or None with wildcard set, or None for other URIs."""

    def __init__(self, host, data: bytes, encoding=None):
        self.host = host
        try:
            self.root = xmlread.parse(data, encoding)
        except xmlread.XmlError as error:
            raise Fault("s:Sender", "ERROR_WSMAN_INVALID_PARAMETER", f"The message is not XML: {error}", status=400) from None
        if self.root.local != "Envelope" or self.root.uri != wire.S:
            raise Fault("s:VersionMismatch", "ERROR_WSMAN_SOAP_VERSION_MISMATCH", "The message is no SOAP 1.2 envelope.",
                        status=400)
        self.header = self.root.child(wire.S, "Header")
        self.body = self.root.child(wire.S, "Body")
        if self.body is None:
            raise Fault("w:SchemaValidationError", "ERROR_WSMAN_SCHEMA_VALIDATION_ERROR", "The message has no body.")
        self.content = self.body.children[0] if self.body.children else None
        self.message_id = self._text(wire.A, "MessageID")
        self.action = self._text(wire.A, "Action")
        self.uri = self._text(wire.W, "ResourceURI")
        self.to = self._text(wire.A, "To")
        self.locale = "en-US"
        self.timeout = 60.0
        self.envelope = host.limits.envelope_kb * 1024
        self.selectors = []
        self.options = {}
        self.cls = None
        self.wildcard = False
        self.namespace = None

    @property
    def identify(self):
        return self.content is not None and self.content.uri == wire.WSMID and self.content.local == "Identify"

    def _node(self, uri, local):
        return self.header.child(uri, local) if self.header is not None else None

    def _text(self, uri, local):
        node = self._node(uri, local)
        return node.text.strip() if node is not None else ""

    def check(self):
        """Everything in the header, in the order in which a host finds fault with it."""
        if self.header is None:
            raise self._missing("header")
        limits = self.host.limits
        for node in self.header.children:
            must = node.attr("mustUnderstand", wire.S) or node.attr("mustUnderstand") or ""
            if must.lower() in ("true", "1") and node.uri not in _KNOWN:
                raise Fault("s:MustUnderstand", "ERROR_WSMAN_SOAP_FAULT_MUST_UNDERSTAND",
                            f"The header {node.local} is not understood.")
        if not self.action:
            raise self._missing("Action")
        if not self.message_id:
            raise self._missing("MessageID")
        if not self.to:
            raise self._missing("To")
        reply = self._node(wire.A, "ReplyTo")
        if reply is None:
            raise self._missing("ReplyTo")
        address = reply.child(wire.A, "Address")
        if address is None or address.text.strip() != wire.ANONYMOUS:
            raise Fault("a:InvalidMessageInformationHeader", "ERROR_WSMAN_INVALID_MESSAGE_INFORMATION_HEADER",
                        "Only the anonymous reply address is supported.")
        size = self._text(wire.W, "MaxEnvelopeSize")
        if size:
            if not size.isdigit() or int(size) < 8192:
                raise Fault("w:EncodingLimit", "ERROR_WSMAN_MIN_ENVELOPE_SIZE",
                            "The maximum envelope size must be at least 8192.", "MinimumEnvelopeLimit")
            self.envelope = min(int(size), self.envelope)
        limit = self._text(wire.W, "OperationTimeout")
        if limit:
            seconds = cimtime.parse_duration(limit)
            if seconds is None or seconds <= 0:
                raise Fault("a:InvalidMessageInformationHeader", "ERROR_WSMAN_INVALID_MESSAGE_INFORMATION_HEADER",
                            "The WS-Management service cannot process the request because the message contains an "
                            "invalid OperationTimeout header.")
            self.timeout = seconds
        if not self.action.endswith("/Pull"):
            self.timeout = min(self.timeout, limits.timeout_ms / 1000)
        locale = self._node(wire.W, "Locale")
        if locale is not None:
            must = locale.attr("mustUnderstand", wire.S) or ""
            if must.lower() in ("true", "1"):
                raise Fault("w:UnsupportedFeature", "ERROR_WSMAN_MUSTUNDERSTAND_ON_LOCALE_UNSUPPORTED",
                            "A locale that must be understood is not supported.", "Locale")
            self.locale = locale.attr("lang", xmlread.XML_NS) or "en-US"
        self._selectors(self._node(wire.W, "SelectorSet"))
        options = self._node(wire.W, "OptionSet")
        for option in options.all(wire.W, "Option") if options is not None else ():
            self.options[option.attr("Name") or ""] = option.text
        if not self.uri and not self.action.endswith("/Unsubscribe"):
            raise Fault("a:DestinationUnreachable", "ERROR_WSMAN_RESOURCE_NOT_FOUND",
                        "The request has no resource URI.", "InvalidResourceURI")
        self._resource()

    def _missing(self, what):
        return Fault("a:MessageInformationHeaderRequired", "ERROR_WSMAN_MESSAGE_INFORMATION_HEADER_REQUIRED",
                     f"The message has no {what}.")

    def _selectors(self, node):
        self.selectors = read_selectors(node) if node is not None else []

    def _resource(self):
        match = _WMI.match(self.uri)
        if match:
            name, space = match["cls"], match["ns"]
            if match["keys"]:
                for pair in match["keys"].split("+"):
                    key, _, value = pair.partition("=")
                    self.selectors.append((key, unquote(value)))
        else:
            match = _DMTF.match(self.uri)
            if not match:
                return
            name = match["cls"]
            space = next((str(v) for k, v in self.selectors if k.lower() == "__cimnamespace"), schema.CIMV2)
        self.namespace = schema.namespace(space)
        if self.namespace is None or not self.host.has_namespace(self.namespace.name):
            raise not_found("WBEM_E_INVALID_NAMESPACE")
        if name == "*":
            self.wildcard = True
            return
        self.cls = self.namespace.get(name)
        if self.cls is None or self.cls.embedded_only and not self.action.endswith("/Enumerate"):
            raise not_found("WBEM_E_INVALID_CLASS")

    def ref(self, partial=False):
        """The instance that the selectors name."""
        keys = {}
        for name, value in self.selectors:
            if name.lower() == "__cimnamespace":
                continue
            prop = self.cls.prop(name)
            if prop is None or prop.name not in self.cls.keys:
                raise Fault("w:InvalidSelectors", "ERROR_WSMAN_UNEXPECTED_SELECTORS",
                            "The WS-Management service cannot process the request because the request contained "
                            "invalid selectors for the resource.", "UnexpectedSelectors")
            if prop.name in keys:
                raise Fault("w:InvalidSelectors", "ERROR_WSMAN_DUPLICATE_SELECTORS", "A selector is given twice.",
                            "DuplicateSelectors")
            keys[prop.name] = value
        missing = [k for k in self.cls.keys if k not in keys]
        if missing and not partial:
            if self.cls.name == "Msvm_ComputerSystem" and keys:
                raise not_found("WBEM_E_NOT_FOUND")
            raise Fault("w:InvalidSelectors", "ERROR_WSMAN_INSUFFCIENT_SELECTORS",
                        "The WS-Management service cannot process the request because it did not contain all the "
                        "selectors that the resource needs.", "InsufficientSelectors")
        return Ref(self.cls, keys)


def not_found(wmi, text=""):
    return Fault("a:DestinationUnreachable", "ERROR_WSMAN_RESOURCE_NOT_FOUND", text or
                 "The WS-Management service cannot process the request. The service cannot find the resource identified "
                 "by the resource URI and selectors.", provider=("WMI Provider", r"%systemroot%\system32\WsmWmiPl.dll"),
                 extended=wire.CODES[wmi])


def read_selectors(node):
    found = []
    for selector in node.all(wire.W, "Selector"):
        inner = selector.child(wire.A, "EndpointReference")
        if inner is not None:
            found.append((selector.attr("Name") or "", read_epr(inner)))
        else:
            found.append((selector.attr("Name") or "", selector.text))
    return found


class BadReference(Exception):
    pass


def read_epr(node) -> Ref:
    """Address and ReferenceParameters that lie directly inside node, as a reference."""
    parameters = node.child(wire.A, "ReferenceParameters")
    if parameters is None or node.child(wire.A, "Address") is None:
        raise BadReference("Address and ReferenceParameters are expected directly inside")
    uri = parameters.child(wire.W, "ResourceURI")
    match = _WMI.match(uri.text.strip()) if uri is not None else None
    space = schema.namespace(match["ns"]) if match else None
    cls = space.get(match["cls"]) if space else None
    if cls is None:
        raise BadReference(f"no such class: {uri.text if uri is not None else 'no resource URI'}")
    keys = {}
    selector_set = parameters.child(wire.W, "SelectorSet")
    for name, value in read_selectors(selector_set) if selector_set is not None else ():
        if name.lower() == "__cimnamespace":
            continue
        prop = cls.prop(name)
        if prop is None or prop.name not in cls.keys:
            raise BadReference(f"{name} is no key of {cls.name}")
        keys[prop.name] = value
    return Ref(cls, keys)
