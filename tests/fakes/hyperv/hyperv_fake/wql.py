# SPDX-License-Identifier: Apache-2.0
"""WQL: SELECT with conditions, ASSOCIATORS OF, REFERENCES OF, and event queries. Anything else is refused."""

import re

from . import cimtime
from .inst import BadPath, Inst, Ref, parse_path

_TOKEN = re.compile(r"""\s*(?:
    (?P<string>'(?:\\.|''|[^'\\])*'|"(?:\\.|""|[^"\\])*") | (?P<number>-?\d+(?:\.\d+)?|0x[0-9a-fA-F]+) |
    (?P<braces>\{[^}]*(?:\}(?=[^,\s][^}]*\})[^}]*)*\}) |
    (?P<word>[A-Za-z_][\w.]*) | (?P<op><=|>=|<>|!=|=|<|>|\(|\)|,|\*))""", re.X | re.S)


class BadQuery(Exception):
    pass


def tokens(text):
    position, found = 0, []
    text = text.strip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if not match or match.end() == position:
            raise BadQuery(f"cannot read {text[position:position + 20]!r}")
        kind = match.lastgroup
        raw = match.group(kind)
        if kind == "string":
            raw = re.sub(r"\\(.)", r"\1", raw[1:-1], flags=re.S)
        found.append((kind, raw))
        position = match.end()
    return found


class Query:
    """kind select, associators, references or event."""

    def __init__(self):
        self.kind = "select"
        self.cls = None
        self.columns = None
        self.test = None
        self.within = None
        self.target = None
        self.assoc_class = self.result_class = self.role = self.result_role = None
        self.classes_only = False


class _Reader:
    def __init__(self, text):
        self.items = tokens(text)
        self.at = 0

    def peek(self):
        return self.items[self.at] if self.at < len(self.items) else (None, "")

    def next(self):
        item = self.peek()
        self.at += 1
        return item

    def word(self, *wanted):
        kind, text = self.peek()
        if kind == "word" and text.upper() in wanted:
            self.at += 1
            return text.upper()
        return None

    def expect(self, *wanted):
        found = self.word(*wanted)
        if not found:
            raise BadQuery(f"{' or '.join(wanted)} expected at {self.peek()[1]!r}")
        return found

    def op(self, *wanted):
        kind, text = self.peek()
        if kind == "op" and text in wanted:
            self.at += 1
            return text
        return None

    def end(self):
        if self.at < len(self.items):
            raise BadQuery(f"unexpected {self.peek()[1]!r}")


def parse(text) -> Query:
    reader = _Reader(text)
    query = Query()
    if reader.word("SELECT"):
        _select(reader, query)
    elif reader.word("ASSOCIATORS"):
        query.kind = "associators"
        _association(reader, query)
    elif reader.word("REFERENCES"):
        query.kind = "references"
        _association(reader, query)
    else:
        raise BadQuery(f"a query begins with SELECT, ASSOCIATORS or REFERENCES, not {reader.peek()[1]!r}")
    reader.end()
    return query


def _select(reader, query):
    if not reader.op("*"):
        query.columns = []
        while True:
            kind, text = reader.next()
            if kind != "word":
                raise BadQuery("a property name is expected")
            query.columns.append(text.lower())
            if not reader.op(","):
                break
    reader.expect("FROM")
    kind, text = reader.next()
    if kind != "word":
        raise BadQuery("a class name is expected")
    query.cls = text
    if reader.word("WITHIN"):
        kind, text = reader.next()
        if kind != "number":
            raise BadQuery("WITHIN takes seconds")
        query.within = float(text)
    if query.cls.startswith("__Instance"):
        query.kind = "event"
    if reader.word("WHERE"):
        query.test = _or(reader)


def _association(reader, query):
    reader.expect("OF")
    kind, text = reader.next()
    if kind != "braces":
        raise BadQuery("an object path in braces is expected")
    query.target = text[1:-1].strip()
    if reader.word("WHERE"):
        while reader.peek()[0] is not None:
            name = reader.expect("ASSOCCLASS", "RESULTCLASS", "ROLE", "RESULTROLE", "CLASSDEFSONLY", "KEYSONLY",
                                 "REQUIREDQUALIFIER", "REQUIREDASSOCQUALIFIER")
            if name in ("CLASSDEFSONLY", "KEYSONLY"):
                query.classes_only = True
                continue
            if not reader.op("="):
                raise BadQuery(f"= expected after {name}")
            value = reader.next()[1]
            query.__dict__[{"ASSOCCLASS": "assoc_class", "RESULTCLASS": "result_class", "ROLE": "role",
                            "RESULTROLE": "result_role"}.get(name, "ignored")] = value


def _or(reader):
    parts = [_and(reader)]
    while reader.word("OR"):
        parts.append(_and(reader))
    return parts[0] if len(parts) == 1 else ("or", parts)


def _and(reader):
    parts = [_not(reader)]
    while reader.word("AND"):
        parts.append(_not(reader))
    return parts[0] if len(parts) == 1 else ("and", parts)


def _not(reader):
    if reader.word("NOT"):
        return ("not", _not(reader))
    if reader.op("("):
        inner = _or(reader)
        if not reader.op(")"):
            raise BadQuery(") expected")
        return inner
    return _condition(reader)


_MIRROR = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


def _condition(reader):
    kind, left = reader.next()
    if kind not in ("word", "string", "number"):
        raise BadQuery(f"a condition is expected at {left!r}")
    if reader.word("IS"):
        negative = bool(reader.word("NOT"))
        reader.expect("NULL")
        return ("null", left, negative)
    if reader.word("ISA"):
        return ("isa", left, reader.next()[1])
    if reader.word("LIKE"):
        return ("like", left, _like(reader.next()[1]))
    operator = reader.op("=", "<>", "!=", "<", ">", "<=", ">=")
    if operator is None:
        raise BadQuery(f"an operator is expected after {left!r}")
    right_kind, right = reader.next()
    if right_kind is None:
        raise BadQuery("a value is missing")
    if kind != "word":
        if right_kind != "word":
            raise BadQuery("a property is missing")
        left, right, right_kind, operator = right, left, kind, _MIRROR.get(operator, operator)
    if right_kind == "word":
        if right.upper() in ("TRUE", "FALSE"):
            right = right.upper() == "TRUE"
        elif right.upper() == "NULL":
            return ("null", left, operator != "=")
        else:
            return ("columns", left, operator, right)
    return ("compare", left, operator, right)


def _like(pattern):
    out, position = [], 0
    while position < len(pattern):
        char = pattern[position]
        if char == "%":
            out.append(".*")
        elif char == "_":
            out.append(".")
        elif char == "[":
            end = pattern.find("]", position + 1)
            if end < 0:
                raise BadQuery("[ without ] in LIKE")
            body = pattern[position + 1:end]
            out.append("[" + ("^" if body.startswith("^") else "") + re.sub(r"([\\\[\]^])", r"\\\1", body.lstrip("^")) + "]")
            position = end
        else:
            out.append(re.escape(char))
        position += 1
    return re.compile("".join(out), re.IGNORECASE | re.DOTALL)


def value_of(inst, name):
    """A property by its name without case; dotted names go into embedded instances."""
    if "." in name:
        head, rest = name.split(".", 1)
        inner = value_of(inst, head)
        return value_of(inner, rest) if isinstance(inner, Inst) else None
    if name.lower() == "__class":
        return inst.cls.name
    prop = inst.cls.prop(name)
    if prop is None:
        raise BadQuery(f"{inst.cls.name} has no property {name}")
    return inst.get(prop.name)


def matches(test, inst, host_name="") -> bool:
    if test is None:
        return True
    kind = test[0]
    if kind == "and":
        return all(matches(t, inst, host_name) for t in test[1])
    if kind == "or":
        return any(matches(t, inst, host_name) for t in test[1])
    if kind == "not":
        return not matches(test[1], inst, host_name)
    if kind == "isa":
        target = inst if test[1].lower() == "__this" else value_of(inst, test[1])
        return isinstance(target, Inst) and target.cls.isa(test[2])
    value = value_of(inst, test[1])
    if kind == "null":
        return (value is None) != test[2]
    if kind == "like":
        return value is not None and test[2].fullmatch(str(value)) is not None
    if kind == "columns":
        return compare(value, test[2], value_of(inst, test[3]), host_name)
    return compare(value, test[2], test[3], host_name)


def compare(value, operator, wanted, host_name) -> bool:
    if value is None:
        return False
    if isinstance(value, list):
        raise BadQuery("an array cannot be compared")
    if isinstance(value, Ref):
        try:
            same = parse_path(str(wanted), value.cls.namespace)[0].same(value)
        except BadPath as error:
            raise BadQuery(str(error)) from None
        return same if operator == "=" else not same
    if isinstance(value, bool):
        if isinstance(wanted, str):
            wanted = wanted.strip().lower() in ("true", "1", "-1")
        left, right = value, bool(wanted)
    elif isinstance(value, int):
        try:
            left, right = value, int(str(wanted), 0) if not isinstance(wanted, bool) else int(wanted)
        except ValueError:
            raise BadQuery(f"{wanted!r} is no number") from None
    else:
        left, right = str(value).lower(), str(wanted).lower()
        times = cimtime.parse_cim(str(value)), cimtime.parse_cim(str(wanted))
        if None not in times:
            left, right = times
    if operator == "=":
        return left == right
    if operator in ("<>", "!="):
        return left != right
    if operator == "<":
        return left < right
    if operator == ">":
        return left > right
    return left <= right if operator == "<=" else left >= right
