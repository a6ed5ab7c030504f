# SPDX-License-Identifier: Apache-2.0
"""Instances: a class, a shared template and what differs from it. References and object paths."""

import re
from html import escape as _html

from . import schema
from .cimtime import xml_datetime

_base_fragments = {}


class Ref:
    """A reference: class and keys (without the host, which is implied)."""
    __slots__ = ("cls", "keys")

    def __init__(self, cls, keys):
        self.cls = cls
        self.keys = keys

    def same(self, other) -> bool:
        return self.ident() == other.ident()

    def ident(self):
        return (self.cls.name.lower(), tuple(sorted(
            (k.lower(), v.ident() if isinstance(v, Ref) else str(v).lower()) for k, v in self.keys.items())))

    def path(self, host) -> str:
        """The WMI object path as text, backslashes and quotes escaped inside the quotes."""
        return f"\\\\{host}\\{self.cls.namespace.replace('/', chr(92))}:{self.relative(host)}"

    def relative(self, host) -> str:
        keys = []
        for name, value in self.keys.items():
            text = value.path(host) if isinstance(value, Ref) else str(value)
            text = text.replace("\\", "\\\\").replace('"', '\\"')
            keys.append(f'{name}="{text}"')
        return f"{self.cls.name}.{','.join(keys)}"

    def __repr__(self):
        return self.relative("")


class Inst:
    """One instance. base is shared between instances of a kind; over holds the own values."""
    __slots__ = ("cls", "base", "over", "obj")

    def __init__(self, cls, base=None, over=None, obj=None):
        self.cls = cls
        self.base = base if base is not None else cls.texts
        self.over = over if over is not None else {}
        self.obj = obj

    def get(self, name, default=None):
        if name in self.over:
            value = self.over[name]
        else:
            value = self.base.get(name)
        return default if value is None else value

    def set(self, name, value):
        self.over[name] = value

    def copy(self):
        return Inst(self.cls, self.base, dict(self.over), self.obj)

    def ref(self) -> Ref:
        return Ref(self.cls, {k: self.get(k, "") for k in self.cls.keys})

    def values(self):
        return {**self.base, **self.over}

    @property
    def id(self):
        return self.get("InstanceID")


def clean(text) -> str:
    return _html(str(text), quote=False)


def value_text(value) -> str:
    if value is True:
        return "true"
    if value is False:
        return "false"
    return _html(str(value), quote=False)


def epr_inner(ref: Ref, cim_namespace=False) -> str:
    selectors = []
    if cim_namespace:
        selectors.append(f'<w:Selector Name="__cimnamespace">{clean(ref.cls.namespace)}</w:Selector>')
    for name, value in ref.keys.items():
        if isinstance(value, Ref):
            inner = f"<a:EndpointReference>{epr_inner(value)}</a:EndpointReference>"
        else:
            inner = value_text(value)
        selectors.append(f'<w:Selector Name="{name}">{inner}</w:Selector>')
    return ("<a:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address>"
            f"<a:ReferenceParameters><w:ResourceURI>{ref.cls.uri}</w:ResourceURI>"
            f"<w:SelectorSet>{''.join(selectors)}</w:SelectorSet></a:ReferenceParameters>")


def _one(prefix, name, kind, value) -> str:
    if value is None:
        return f'<{prefix}:{name} xsi:nil="true"/>'
    if kind == "datetime":
        return f"<{prefix}:{name}>{xml_datetime(value)}</{prefix}:{name}>"
    if isinstance(value, Ref):
        return (f'<{prefix}:{name} xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" '
                f'xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd">{epr_inner(value)}</{prefix}:{name}>')
    if isinstance(value, Inst):
        return embedded_xml(prefix, name, value)
    return f"<{prefix}:{name}>{value_text(value)}</{prefix}:{name}>"


def prop_xml(prefix, name, kind, array, value) -> str:
    if array and not value:
        return ""  # Hosts leave empty arrays and NULL ones out; only scalars are nil.
    if value is None:
        return f'<{prefix}:{name} xsi:nil="true"/>'
    if array:
        return "".join(_one(prefix, name, kind, v) for v in value)
    return _one(prefix, name, kind, value)


def embedded_xml(prefix, name, inst) -> str:
    """An instance-typed property or parameter: a nested element tree of its own class namespace."""
    inner = "r" if prefix == "q" else "q"
    return (f'<{prefix}:{name} xmlns:{inner}="{inst.cls.uri}" xsi:type="{inner}:{inst.cls.name}_Type">'
            f"{properties_xml(inst, inner)}</{prefix}:{name}>")


def properties_xml(inst, prefix="p", cls=None, only=None) -> str:
    """All properties in schema order. What comes from the template was rendered once."""
    written = getattr(inst, "written", None)
    if written is not None:
        return written(prefix, only)
    cls = cls or inst.cls
    key = (id(inst.base), cls.uri, prefix)
    fragments = _base_fragments.get(key)
    if fragments is None or fragments[0] is not inst.base:
        rows = [(p.name, prop_xml(prefix, p.name, p.type, p.array, inst.base.get(p.name)), p) for p in cls.props]
        fragments = (inst.base, rows)
        _base_fragments[key] = fragments
    over = inst.over
    if only is not None:
        return "".join(prop_xml(prefix, n, p.type, p.array, over[n]) if n in over else fragment
                       for n, fragment, p in fragments[1] if n.lower() in only)
    return "".join([prop_xml(prefix, n, p.type, p.array, over[n]) if n in over else fragment
                    for n, fragment, p in fragments[1]])


def instance_xml(inst, language=None, cls=None) -> str:
    cls = cls or inst.cls
    language = f' xml:lang="{language}"' if language else ""
    return (f'<p:{cls.name} xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:p="{cls.uri}" '
            f'xmlns:cim="http://schemas.dmtf.org/wbem/wscim/1/common" xsi:type="p:{cls.name}_Type"'
            f'{language}>{properties_xml(inst, "p", cls)}</p:{cls.name}>')


_PATH = re.compile(r"^(?:\\\\(?P<host>[^\\/]+)\\)?(?:(?P<ns>root[\\/][^:]*):)?(?P<cls>[A-Za-z_]\w*)(?P<rest>[.=].*)$", re.S)
_KEY = re.compile(r'\s*([A-Za-z_]\w*)\s*=\s*(?:"((?:\\.|[^"\\])*)"|\'((?:\\.|[^\'\\])*)\'|([-\w.]+))\s*(,|$)', re.S)
_ESCAPE = re.compile(r"\\(.)", re.S)


class BadPath(Exception):
    pass


def parse_path(text: str, default_namespace=schema.V2):
    """An object path as a Ref, with its host (or None). Unescaped backslashes inside the quotes are an error."""
    match = _PATH.match(text.strip())
    if not match:
        raise BadPath(f"not an object path: {text!r}")
    space = schema.namespace(match["ns"] or default_namespace)
    cls = space.get(match["cls"]) if space else None
    if cls is None:
        raise BadPath(f"no such class: {text!r}")
    rest = match["rest"]
    keys = {}
    if rest[0] == "=":
        if len(cls.keys) != 1:
            raise BadPath(f"{cls.name} has {len(cls.keys)} keys: {text!r}")
        rest = f".{cls.keys[0]}={rest[1:]}"
    position = 1
    while position < len(rest):
        found = _KEY.match(rest, position)
        if not found:
            raise BadPath(f"bad key list: {text!r}")
        raw = next((g for g in found.groups()[1:4] if g is not None), "")
        if found.group(4) is None:
            for escaped in re.finditer(r"\\(.)", raw, re.S):
                if escaped.group(1) not in "\\\"'":
                    raise BadPath(f"a backslash inside the quotes has to be doubled: {text!r}")
            raw = _ESCAPE.sub(r"\1", raw)
        prop = cls.prop(found.group(1))
        if prop is None or prop.name not in cls.keys:
            raise BadPath(f"{found.group(1)} is no key of {cls.name}: {text!r}")
        keys[prop.name] = raw
        position = found.end()
    missing = [k for k in cls.keys if k not in keys]
    if missing:
        raise BadPath(f"{cls.name} needs {', '.join(missing)}: {text!r}")
    host = match["host"]
    return Ref(cls, keys), (host if host and host != "." else None)
