# SPDX-License-Identifier: Apache-2.0
"""Names on the wire, answers and faults with the prefixes that Windows uses."""

import json
from html import escape
from pathlib import Path
from uuid import uuid4

S = "http://www.w3.org/2003/05/soap-envelope"
A = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
W = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
N = "http://schemas.xmlsoap.org/ws/2004/09/enumeration"
X = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
E = "http://schemas.xmlsoap.org/ws/2004/08/eventing"
P = "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd"
B = "http://schemas.dmtf.org/wbem/wsman/1/cimbinding.xsd"
CIM = "http://schemas.dmtf.org/wbem/wscim/1/common"
RSP = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
F = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
WSMID = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"
CFG = "http://schemas.microsoft.com/wbem/wsman/1/config"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
ANONYMOUS = A + "/role/anonymous"
WQL = "http://schemas.microsoft.com/wbem/wsman/1/WQL"
WQL_DMTF = "http://schemas.dmtf.org/wbem/cql/1/dsp0202.pdf"
ASSOCIATION_FILTER = "http://schemas.dmtf.org/wbem/wsman/1/cimbinding/associationFilter"
SELECTOR_FILTER = "http://schemas.dmtf.org/wbem/wsman/1/wsman/SelectorFilter"
DETAIL = "http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail/"

ENVELOPE = (f'<s:Envelope xml:lang="%s" xmlns:s="{S}" xmlns:a="{A}" xmlns:x="{X}" xmlns:e="{E}" xmlns:n="{N}" '
            f'xmlns:w="{W}" xmlns:p="{P}">')

CODES = json.loads(Path(__file__).with_name("codes.json").read_text())
CODES = {name: int(value, 16) for name, value in CODES.items()}

_WSMAN = W.replace("wsman.xsd", "wsman")
FAULT_ACTIONS = {"a": A + "/fault", "w": _WSMAN + "/fault", "n": N + "/fault", "e": E + "/fault"}


class Fault(Exception):
    """A SOAP fault: subcode with prefix, both native codes, optional detail and provider text."""

    def __init__(self, subcode, code, text, detail="", provider=None, provider_text="", status=500, sender=None,
                 extended=None):
        super().__init__(f"{subcode}: {text}")
        self.subcode = subcode
        self.code = CODES[code] if isinstance(code, str) else code
        self.text = text
        self.detail = detail
        self.provider = provider
        self.provider_text = provider_text or text
        self.status = status
        self.sender = sender if sender is not None else subcode.split(":")[1] not in ("InternalError", "TimedOut")
        self.extended = extended


def wmi_fault(name, text, subcode="w:InternalError", host=""):
    """A fault whose innermost code is a WMI HRESULT, as the WMI plug-in reports it."""
    code = CODES[name]
    return Fault(subcode, code, text, provider=("WMI Provider", r"%systemroot%\system32\WsmWmiPl.dll"),
                 provider_text=text, extended=code)


def fault_body(fault, machine, language) -> str:
    message = escape(fault.text, quote=False)
    inner = message
    if fault.provider:
        deep = ""
        if fault.extended is not None:
            deep = (f'<f:WSManFault xmlns:f="{F}" Code="{fault.code}" Machine="{machine}"><f:Message>{message} </f:Message>'
                    '</f:WSManFault><f:ExtendedError><p:__ExtendedStatus '
                    'xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/__ExtendedStatus" '
                    f'xmlns:xsi="{XSI}" xsi:type="p:__ExtendedStatus_Type"><p:Description xsi:nil="true"/>'
                    f'<p:Operation>ExecMethod</p:Operation><p:ParameterInfo xsi:nil="true"/>'
                    f'<p:ProviderName>WinMgmt</p:ProviderName><p:StatusCode>{fault.extended}</p:StatusCode>'
                    '</p:__ExtendedStatus></f:ExtendedError>')
        else:
            deep = escape(fault.provider_text, quote=False)
        inner = f'<f:ProviderFault provider="{fault.provider[0]}" path="{fault.provider[1]}">{deep}</f:ProviderFault>'
    detail = f"<w:FaultDetail>{DETAIL}{fault.detail}</w:FaultDetail>" if fault.detail else ""
    return (f"<s:Fault><s:Code><s:Value>s:{'Sender' if fault.sender else 'Receiver'}</s:Value>"
            f"<s:Subcode><s:Value>{fault.subcode}</s:Value></s:Subcode></s:Code>"
            f'<s:Reason><s:Text xml:lang="{language}">{message} </s:Text></s:Reason>'
            f'<s:Detail>{detail}<f:WSManFault xmlns:f="{F}" Code="{fault.code}" Machine="{machine}">'
            f"<f:Message>{inner}</f:Message></f:WSManFault></s:Detail></s:Fault>")


def new_id() -> str:
    return "uuid:" + str(uuid4()).upper()


def envelope(action, relates_to, body, language="en-US", extra="") -> str:
    relates = f"<a:RelatesTo>{escape(relates_to, quote=False)}</a:RelatesTo>" if relates_to else ""
    return (f"{ENVELOPE % language}<s:Header><a:Action>{escape(action, quote=False)}</a:Action>"
            f"<a:MessageID>{new_id()}</a:MessageID>{extra}<a:To>{ANONYMOUS}</a:To>{relates}</s:Header>"
            f"<s:Body>{body}</s:Body></s:Envelope>")
