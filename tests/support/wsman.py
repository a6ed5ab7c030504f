# SPDX-License-Identifier: Apache-2.0
"""A plain WS-Man client of the tests: writes messages as text and shows what came back. Shares nothing with the fake."""

import time
import uuid
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

import requests
import urllib3

V2 = "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/virtualization/v2/"
CIMV2 = "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/"
S = "http://www.w3.org/2003/05/soap-envelope"
A = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
W = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
N = "http://schemas.xmlsoap.org/ws/2004/09/enumeration"
X = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
E = "http://schemas.xmlsoap.org/ws/2004/08/eventing"
B = "http://schemas.dmtf.org/wbem/wsman/1/cimbinding.xsd"
F = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
WQL = "http://schemas.microsoft.com/wbem/wsman/1/WQL"


def selectors_xml(keys: dict) -> str:
    if not keys:
        return ""
    return "<w:SelectorSet>" + "".join(
        f"<w:Selector Name={quoteattr(k)}>{escape(str(v))}</w:Selector>" for k, v in keys.items()) + "</w:SelectorSet>"


def epr(uri: str, keys: dict) -> str:
    """The inside of a reference parameter."""
    return (f"<a:Address>{A}/role/anonymous</a:Address><a:ReferenceParameters><w:ResourceURI>{uri}</w:ResourceURI>"
            f"{selectors_xml(keys)}</a:ReferenceParameters>")


class Ref:
    def __init__(self, cls: str, **keys):
        self.cls = cls
        self.keys = keys


def vm_ref(ident: str) -> Ref:
    return Ref("Msvm_ComputerSystem", CreationClassName="Msvm_ComputerSystem", Name=ident)


def setting_ref(cls: str, instance_id: str) -> Ref:
    return Ref(cls, InstanceID=instance_id)


def instance(cls: str, **properties) -> str:
    """CIM-XML text; a value is (TYPE, value), a list value makes an array."""
    rows = []
    for name, (kind, value) in properties.items():
        if isinstance(value, list):
            items = "".join(f"<VALUE>{escape(_text(v))}</VALUE>" for v in value)
            rows.append(f'<PROPERTY.ARRAY NAME="{name}" TYPE="{kind}"><VALUE.ARRAY>{items}</VALUE.ARRAY></PROPERTY.ARRAY>')
        else:
            rows.append(f'<PROPERTY NAME="{name}" TYPE="{kind}"><VALUE>{escape(_text(value))}</VALUE></PROPERTY>')
    return f'<INSTANCE CLASSNAME="{cls}">{"".join(rows)}</INSTANCE>'


def _text(value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def object_path(cls: str, **keys) -> str:
    inner = ",".join('{}="{}"'.format(k, v.replace("\\", "\\\\").replace('"', '\\"')) for k, v in keys.items())
    return f"root\\virtualization\\v2:{cls}.{inner}"


def local(tag: str) -> str:
    return tag.rpartition("}")[2]


def flat(element) -> dict:
    """Property name -> text, list of texts, or None; dates and references by their inner text."""
    found = {}
    for child in element:
        if child.get(f"{{{XSI}}}nil") == "true":
            value = None
        elif len(child):
            selectors = {s.get("Name"): s.text for s in child.iter(f"{{{W}}}Selector")}
            value = selectors or "".join(child.itertext())
        else:
            value = child.text or ""
        name = local(child.tag)
        if name in found:
            before = found[name]
            found[name] = before + [value] if isinstance(before, list) else [before, value]
        else:
            found[name] = value
    return found


class Answer:
    def __init__(self, status: int, text: str):
        self.status = status
        self.text = text
        self.root = ElementTree.fromstring(text) if text.startswith("<") else None

    @property
    def body(self):
        return self.root.find(f"{{{S}}}Body")

    @property
    def content(self):
        return self.body[0]

    @property
    def fault(self):
        """Subcode with the prefix of Windows, or None."""
        if self.root is None:
            return None
        node = self.root.find(f".//{{{S}}}Subcode/{{{S}}}Value")
        return None if node is None else node.text

    @property
    def code(self):
        """The innermost native code of a fault."""
        status = [e for e in self.root.iter() if local(e.tag) == "StatusCode"]
        if status:
            return int(status[-1].text)
        codes = [int(e.get("Code")) for e in self.root.iter(f"{{{F}}}WSManFault")]
        return codes[-1] if codes else None

    def rows(self) -> list[dict]:
        """The instance of a Get or the items of an enumeration."""
        if self.content.tag.startswith(f"{{{N}}}"):
            items = [e for e in self.root.iter() if e.tag in (f"{{{N}}}Items", f"{{{W}}}Items")]
            return [flat(e) for holder in items for e in holder]
        return [flat(self.content)]

    @property
    def returned(self):
        node = [e for e in self.root.iter() if local(e.tag) == "ReturnValue"]
        assert node, f"no ReturnValue: {self.status} {self.text[-1500:]}"
        return int(node[0].text)

    @property
    def out(self) -> dict:
        return flat(self.content)

    @property
    def job(self):
        """(resource URI, selectors) of the job."""
        node = next((e for e in self.content if local(e.tag) == "Job" and len(e)), None)
        if node is None:
            return None
        return node.find(f".//{{{W}}}ResourceURI").text, {s.get("Name"): s.text for s in node.iter(f"{{{W}}}Selector")}


class WsMan:
    """One client of one host, signing in with Basic on one kept connection."""

    def __init__(self, host, password: str | None = None, user: str | None = None):
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self.url = host.url
        self.http = requests.Session()
        self.http.verify = False
        self.http.trust_env = False
        self.http.auth = (user or host.user, password or host.password)
        self.envelope = 512000
        self.timeout = "PT60S"

    def post(self, text: str, **headers) -> Answer:
        got = self.http.post(self.url, data=text.encode(), timeout=120,
                             headers={"Content-Type": "application/soap+xml;charset=UTF-8", **headers})
        got.encoding = "utf-8"
        return Answer(got.status_code, got.text)

    def message(self, action: str, uri: str, body: str = "", keys=None, header: str = "") -> str:
        return (f'<s:Envelope xmlns:s="{S}" xmlns:a="{A}" xmlns:w="{W}" xmlns:n="{N}" xmlns:b="{B}" xmlns:e="{E}" '
                f'xmlns:xsi="{XSI}"><s:Header><a:To>{self.url}</a:To>'
                f'<w:ResourceURI s:mustUnderstand="true">{uri}</w:ResourceURI>'
                f"<a:ReplyTo><a:Address>{A}/role/anonymous</a:Address></a:ReplyTo>"
                f'<a:Action s:mustUnderstand="true">{action}</a:Action>'
                f'<w:MaxEnvelopeSize s:mustUnderstand="true">{self.envelope}</w:MaxEnvelopeSize>'
                f"<a:MessageID>uuid:{str(uuid.uuid4()).upper()}</a:MessageID>"
                f'<w:Locale xml:lang="en-US" s:mustUnderstand="false"/>'
                f"<w:OperationTimeout>{self.timeout}</w:OperationTimeout>{selectors_xml(keys or {})}{header}</s:Header>"
                f"<s:Body>{body}</s:Body></s:Envelope>")

    def send(self, action: str, uri: str, body: str = "", keys=None, header: str = "") -> Answer:
        return self.post(self.message(action, uri, body, keys, header))

    def identify(self) -> Answer:
        return self.post(f'<s:Envelope xmlns:s="{S}"><s:Header/><s:Body><i:Identify '
                         'xmlns:i="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"/></s:Body></s:Envelope>')

    def get(self, uri: str, keys=None) -> Answer:
        return self.send(X + "/Get", uri, "", keys)

    def enumerate_answer(self, uri, query=None, optimized=True, count=50, inner="", dialect=WQL) -> Answer:
        filter_ = f'<w:Filter Dialect="{dialect}">{escape(query)}</w:Filter>' if query else ""
        body = (f"<n:Enumerate>{'<w:OptimizeEnumeration/>' if optimized else ''}"
                f"{f'<w:MaxElements>{count}</w:MaxElements>' if optimized else ''}{inner}{filter_}</n:Enumerate>")
        return self.send(N + "/Enumerate", uri, body)

    def all(self, answer: Answer, uri: str, count=50) -> list[dict]:
        """Follows an enumeration to its end."""
        assert answer.fault is None, answer.text[-2000:]
        rows = answer.rows()
        while answer.root.find(f".//{{{N}}}EndOfSequence") is None and answer.root.find(f".//{{{W}}}EndOfSequence") is None:
            context = answer.root.find(f".//{{{N}}}EnumerationContext").text
            answer = self.send(N + "/Pull", uri, f"<n:Pull><n:EnumerationContext>{context}</n:EnumerationContext>"
                                                 f"<n:MaxElements>{count}</n:MaxElements></n:Pull>")
            assert answer.fault is None, answer.text[-2000:]
            rows += answer.rows()
        return rows

    def enumerate(self, cls: str, optimized=True, count=50, space=V2) -> list[dict]:
        return self.all(self.enumerate_answer(space + cls, None, optimized, count), space + cls, count)

    def query(self, text: str, space=V2) -> list[dict]:
        return self.all(self.enumerate_answer(space + "*", text), space + "*")

    def invoke(self, cls: str, method: str, parameters: dict, keys=None, space=V2) -> Answer:
        """Parameters: text, numbers, booleans, Ref, lists of these; text is escaped (so CIM-XML can be given as it is)."""
        rows = []
        for name, value in parameters.items():
            for one in value if isinstance(value, list) else [value]:
                if one is None:
                    rows.append(f'<p:{name} xsi:nil="true"/>')
                elif isinstance(one, Ref):
                    rows.append(f"<p:{name}>{epr(space + one.cls, one.keys)}</p:{name}>")
                else:
                    rows.append(f"<p:{name}>{escape(_text(one))}</p:{name}>")
        body = f'<p:{method}_INPUT xmlns:p="{space}{cls}">{"".join(rows)}</p:{method}_INPUT>'
        return self.send(f"{space}{cls}/{method}", space + cls, body, keys)

    def service(self, cls: str, method: str, parameters: dict) -> Answer:
        return self.invoke(cls, method, parameters, {"CreationClassName": cls})

    def finish(self, answer: Answer, timeout: float = 30) -> dict:
        """Follows the job of an answer to its end."""
        assert answer.job is not None, answer.text[-2000:]
        uri, keys = answer.job
        deadline = time.monotonic() + timeout
        while True:
            row = self.get(uri, keys).rows()[0]
            if row["JobState"] not in ("2", "3", "4", "5", "6"):
                return row
            assert time.monotonic() < deadline, f"the job did not end: {row}"
            time.sleep(0.03)

    def done(self, answer: Answer) -> Answer:
        """The operation has to succeed, with or without a job."""
        if answer.returned == 4096:
            job = self.finish(answer)
            assert job["JobState"] == "7" and job["ErrorCode"] == "0", job
        else:
            assert answer.returned == 0, answer.text[-1500:]
        return answer

    def refused(self, answer: Answer) -> int:
        """The vendor code with which the operation or its job ended."""
        if answer.returned == 4096:
            job = self.finish(answer)
            assert job["JobState"] == "10", job
            return int(job["ErrorCode"])
        return answer.returned
