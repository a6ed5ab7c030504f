# SPDX-License-Identifier: Apache-2.0
"""Writes wmi_classes.inc, wmi_classes.c and wmi_errors.c from the JSON files of this folder.

generate.py OUT_DIR. What a name in these files means is in ../cim.h.
"""
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
NAMESPACES = [
    ("virtualization", "CIM_NS_VIRTUALIZATION"),
    ("cimv2", "CIM_NS_CIMV2"),
    ("mscluster", "CIM_NS_MSCLUSTER"),
    ("standardcimv2", "CIM_NS_STANDARDCIMV2"),
    ("storage", "CIM_NS_STORAGE"),
]
TYPES = {
    "boolean": ("CIM_BOOL", "bool"),
    "uint8": ("CIM_UINT8", "uint"),
    "uint16": ("CIM_UINT16", "uint"),
    "uint32": ("CIM_UINT32", "uint"),
    "uint64": ("CIM_UINT64", "uint"),
    "sint8": ("CIM_SINT8", "sint"),
    "sint16": ("CIM_SINT16", "sint"),
    "sint32": ("CIM_SINT32", "sint"),
    "sint64": ("CIM_SINT64", "sint"),
    "real32": ("CIM_REAL32", "real"),
    "real64": ("CIM_REAL64", "real"),
    "string": ("CIM_STRING", "str"),
    "char16": ("CIM_CHAR16", "str"),
    "datetime": ("CIM_DATETIME", "time"),
    "reference": ("CIM_REF", "ref"),
    "embedded": ("CIM_OBJECT", "obj"),
}
READING = ("Get", "Check", "Test", "Validate", "Show", "Query", "FormatError")


def c_type(prop):
    """The enum member and the accessor's type of a property."""
    if prop["type"] == "string" and prop.get("embedded"):
        return "CIM_EMBEDDED", "embs" if prop.get("array") else "emb"
    member, kind = TYPES[prop["type"]]
    return member, kind + ("s" if prop.get("array") else "")


class Writer:
    def __init__(self):
        self.head, self.props, self.classes, self.index = [], [], [], {}

    def group(self, name, owner, prefix, props, keys):
        """The properties of one class or method, sorted; answers the first one's number."""
        first = len(self.props)
        for slot, prop in enumerate(sorted(props, key=lambda p: p["name"].lower())):
            member, kind = c_type(prop)
            of = prop.get("class") or prop.get("embedded")
            self.head.append(f"#define {prefix}_{prop['name']} "
                             f"((struct cim_p_{kind}){{ &cim_props[{len(self.props)}] }})")
            direction = prop.get("dir", "")
            flags = [str(bool(prop.get("array"))).lower(), str(prop["name"] in keys).lower(),
                     str("in" in direction.replace("inout", "in")).lower(),
                     str(direction in ("out", "inout")).lower()]
            text = f'"{of}"' if of else "NULL"
            self.props.append(f'    {{ "{prop["name"]}", {text}, &cim_classes[{owner}], {slot}, '
                              f"{member}, {', '.join(flags)} }},")
        return first

    def add(self, fields):
        self.classes.append(fields)
        return len(self.classes) - 1

    def read(self, ns, classes):
        for name, c in sorted(classes.items(), key=lambda item: item[0].lower()):
            number = len(self.classes)
            keys = c.get("keys", [])
            ancestors = ", ".join(f'"{a}"' for a in c.get("ancestors", []))
            ancestors = f"(const char *const[]){{ {ancestors}, NULL }}" if ancestors else "no_names"
            props = [dict(p, name=n) for n, p in c["properties"].items()]
            self.classes.append("")
            first = self.group(name, number, f"P_{name}", props, keys)
            self.head.append(f"#define CIM_{name} (&cim_classes[{number}])")
            self.classes[number] = (f'    {{ "{name}", {ancestors}, &cim_props[{first}], NULL, '
                                    f"no_names, {len(props)}, {ns}, false, false }},")
            for method, m in sorted(c.get("methods", {}).items()):
                mine = len(self.classes)
                params = list(m["params"])
                if not any(p["name"] == "ReturnValue" for p in params):
                    params.append({"name": "ReturnValue", "dir": "out", "type": "uint32"})
                order = ", ".join(f'"{p["name"]}"' for p in params if p["dir"] != "out")
                order = f"(const char *const[]){{ {order}, NULL }}" if order else "no_names"
                self.classes.append("")
                at = self.group(method, mine, f"A_{name}_{method}", params, [])
                self.head.append(f"#define M_{name}_{method} (&cim_classes[{mine}])")
                reads = str(method.startswith(READING)).lower()
                self.classes[mine] = (f'    {{ "{method}", no_names, &cim_props[{at}], '
                                      f"&cim_classes[{number}], {order}, {len(params)}, {ns}, true, "
                                      f"{reads} }},")


LICENCE = "/* SPDX-License-Identifier: Apache-2.0 */\n/* Made by schema/generate.py. */\n"


def write_classes(out):
    w = Writer()
    ranges = []
    for stem, ns in NAMESPACES:
        data = json.loads((HERE / f"{stem}.json").read_text())
        start = len(w.classes)
        w.read(ns, data["classes"])
        ranges.append((start, len(w.classes), data["namespace"]))
    (out / "wmi_classes.inc").write_text(
        LICENCE + "#pragma once\n\n"
        "#define P(cls, prop) P_##cls##_##prop\n#define A(cls, method, param) "
        "A_##cls##_##method##_##param\n#define CIM(cls) CIM_##cls\n"
        "#define M(cls, method) M_##cls##_##method\n\n"
        f"extern const struct cim_prop cim_props[{len(w.props)}];\n"
        f"extern const struct cim_class cim_classes[{len(w.classes)}];\n"
        "/* Classes and their methods of one namespace: [first, end). */\n"
        "struct cim_range { unsigned first, end; const char *path; };\n"
        f"extern const struct cim_range cim_ranges[{len(ranges)}];\n\n" + "\n".join(w.head) + "\n")
    (out / "wmi_classes.c").write_text(
        LICENCE + '#include "drivers/wmi/cim.h"\n\n'
        "static const char *const no_names[] = { NULL };\n\n"
        f"const struct cim_prop cim_props[{len(w.props)}] = {{\n" + "\n".join(w.props) + "\n};\n\n"
        f"const struct cim_class cim_classes[{len(w.classes)}] = {{\n" + "\n".join(w.classes) +
        "\n};\n\n"
        f"const struct cim_range cim_ranges[{len(ranges)}] = {{\n" +
        "\n".join(f'    {{ {a}, {b}, "{path}" }},' for a, b, path in ranges) + "\n};\n")


def write_errors(out):
    data = json.loads((HERE / "wsman-errors.json").read_text())
    codes = {}
    for part in ("wsman", "wbem", "hyperv", "win32"):
        for name, value in data.get(part, {}).items():
            number = int(str(value), 0) if not str(name).isdigit() else None
            if number is not None and isinstance(name, str):
                codes.setdefault(number, name)
    returns = {int(k): v for k, v in data["hyperv_return"].items() if k.isdigit()}
    lines = [LICENCE, '#include "drivers/wmi/fault.h"\n\n',
             "/* Sorted by number. */\n",
             f"const struct fault_code fault_codes[{len(codes)}] = {{\n"]
    lines += [f'    {{ 0x{n:08X}u, "{codes[n]}" }},\n' for n in sorted(codes)]
    lines += ["};\n", f"const unsigned fault_codes_count = {len(codes)};\n\n",
              f"const struct fault_code fault_returns[{len(returns)}] = {{\n"]
    lines += [f'    {{ {n}u, "{returns[n]}" }},\n' for n in sorted(returns)]
    lines += ["};\n", f"const unsigned fault_returns_count = {len(returns)};\n"]
    (out / "wmi_errors.c").write_text("".join(lines))


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    write_classes(out)
    write_errors(out)


main()
