# SPDX-License-Identifier: Apache-2.0
"""Embedded instances: CIM-XML INSTANCE text, read strictly against the schema and written as Windows does."""

from html import escape

from . import cimtime, schema, xmlread
from .inst import Inst, Ref


class JobError(Exception):
    """A vendor code with which the operation (its job) ends."""

    def __init__(self, code: int, message: str = ""):
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class BadInstance(Exception):
    """The text is no CIM-XML instance at all."""


FAILED, ACCESS_DENIED, NOT_SUPPORTED, INVALID_PARAMETER, IN_USE, INVALID_STATE, WRONG_TYPE = (
    32768, 32769, 32770, 32773, 32774, 32775, 32776)


class Given:
    """What a client sent: the class and exactly the properties that were named (None is an explicit NULL)."""

    def __init__(self, cls, values):
        self.cls = cls
        self.values = values

    def get(self, name, default=None):
        value = self.values.get(name)
        return default if value is None else value

    def __contains__(self, name):
        return name in self.values

    @property
    def id(self):
        return self.get("InstanceID", "")


def _scalar(prop, text):
    if prop.type == "boolean":
        if text.strip().lower() not in ("true", "false"):
            raise JobError(WRONG_TYPE, f"{prop.name}: {text!r} is no boolean")
        return text.strip().lower() == "true"
    if prop.type in schema.INTEGERS:
        try:
            number = int(text.strip(), 10)
        except ValueError:
            raise JobError(WRONG_TYPE, f"{prop.name}: {text!r} is no integer") from None
        low, high = schema.INTEGERS[prop.type]
        if not low <= number <= high:
            raise JobError(INVALID_PARAMETER, f"{prop.name}: {number} does not fit {prop.type}")
        return number
    if prop.type == "datetime":
        if not cimtime.is_cim(text.strip()):
            raise JobError(FAILED, f"{prop.name}: {text!r} is no CIM datetime")
        return text.strip()
    return text


def _instance_node(text):
    try:
        root = xmlread.parse(text.encode())
    except (xmlread.XmlError, UnicodeEncodeError) as error:
        raise BadInstance(str(error)) from None
    # A whole declaration group or a named instance is accepted, as by the Windows reader.
    while root.local in ("CIM", "DECLARATION", "DECLGROUP", "DECLGROUP.WITHNAME", "VALUE.OBJECT",
                         "VALUE.NAMEDINSTANCE"):
        inner = [c for c in root.children if c.local not in ("INSTANCENAME",)]
        if len(inner) != 1:
            raise BadInstance(f"{root.local} holds no single instance")
        root = inner[0]
    if root.local != "INSTANCE":
        raise BadInstance(f"the root element is {root.local}, not INSTANCE")
    return root


def read(text: str, wanted: str, namespace=schema.V2) -> Given:
    """The instance in text, of the class wanted or a derived one. Raises BadInstance or JobError."""
    root = _instance_node(text)
    name = root.attr("CLASSNAME") or ""
    cls = schema.namespace(namespace).get(name)
    if cls is None:
        raise JobError(INVALID_PARAMETER, f"class {name!r} does not exist")
    if wanted and not cls.isa(wanted):
        raise JobError(INVALID_PARAMETER, f"{name} is no {wanted}")
    values = {}
    for node in root.children:
        if node.local == "QUALIFIER":
            continue
        if node.local not in ("PROPERTY", "PROPERTY.ARRAY", "PROPERTY.REFERENCE"):
            raise BadInstance(f"unexpected element {node.local}")
        prop = cls.prop(node.attr("NAME") or "")
        if prop is None:
            if (node.attr("NAME") or "").startswith("__"):
                continue
            raise JobError(INVALID_PARAMETER, f"{cls.name} has no property {node.attr('NAME')!r}")
        if node.local == "PROPERTY.REFERENCE":
            values[prop.name] = "".join(c.text for c in node.children)
            continue
        array = node.local == "PROPERTY.ARRAY"
        if array != prop.array:
            raise JobError(WRONG_TYPE, f"{prop.name} is {'an array' if prop.array else 'no array'}")
        if (node.attr("TYPE") or "").lower() != prop.type and prop.type not in ("embedded", "reference"):
            raise JobError(FAILED, f"{prop.name} has TYPE {node.attr('TYPE')!r} but is {prop.type}")
        if array:
            holder = next((c for c in node.children if c.local == "VALUE.ARRAY"), None)
            if holder is None:
                values[prop.name] = None
            else:
                values[prop.name] = [_scalar(prop, c.text) for c in holder.children if c.local == "VALUE"]
        else:
            holder = next((c for c in node.children if c.local == "VALUE"), None)
            values[prop.name] = None if holder is None else _scalar(prop, holder.text)
    return Given(cls, values)


def _text(value) -> str:
    if value is True:
        return "TRUE"
    if value is False:
        return "FALSE"
    return escape(str(value), quote=False)


_INHERITED = ("Caption", "Description", "ElementName", "InstanceID")


def write(inst: Inst, host="") -> str:
    """The instance as Windows prints it: every property, NULL ones without a VALUE, inherited ones marked."""
    rows = []
    for prop in inst.cls.props:
        value = inst.get(prop.name)
        kind = "string" if prop.type in ("embedded", "reference") else prop.type
        extra = ' CLASSORIGIN="CIM_ManagedElement" PROPAGATED="true"' if prop.name in _INHERITED and inst.cls.ancestors else ""
        if isinstance(value, Ref):
            value = value.path(host)
        if prop.array:
            rows.append(f'<PROPERTY.ARRAY NAME="{prop.name}" TYPE="{kind}"{extra}>')
            if value is not None:
                rows.append("<VALUE.ARRAY>" + "".join(f"<VALUE>{_text(v)}</VALUE>" for v in value) + "</VALUE.ARRAY>")
            rows.append("</PROPERTY.ARRAY>")
        else:
            rows.append(f'<PROPERTY NAME="{prop.name}" TYPE="{kind}"{extra}>')
            if value is not None:
                rows.append(f"<VALUE>{_text(value)}</VALUE>")
            rows.append("</PROPERTY>")
    return f'<INSTANCE CLASSNAME="{inst.cls.name}">{"".join(rows)}</INSTANCE>'


def kvp_item(name: str, data: str, source: int = 2) -> str:
    """An exchange item of the guest, with the spelling of Windows."""
    rows = [("Caption", None), ("Data", data), ("Description", None), ("ElementName", None), ("InstanceID", None),
            ("Name", name)]
    text = []
    for prop, value in rows:
        inner = "" if value is None else f"<VALUE>{escape(value, quote=False)}</VALUE>"
        mark = ' PROPAGATED="true"' if prop in _INHERITED else ""
        text.append(f'<PROPERTY NAME="{prop}"{mark} TYPE="string">{inner}</PROPERTY>')
    return ('<INSTANCE CLASSNAME="Msvm_KvpExchangeDataItem">' + "".join(text) +
            f'<PROPERTY NAME="Source" TYPE="uint16"><VALUE>{source}</VALUE></PROPERTY></INSTANCE>')
