# SPDX-License-Identifier: Apache-2.0
"""What a hypervisor says of an object beside what our API shows of it, field by field."""


def nothing(value):
    """Absent, unknown and empty are one: the hypervisor does not tell."""
    return value in (None, "", "unknown", [], {})


def compare(what, truth, shown, more=frozenset(), lines=None):
    """A line for each field that differs, and for each that `truth` does not know; fields of `more` are not looked at."""
    lines = [] if lines is None else lines
    for path, expected in sorted(truth.items()):
        seen = shown.get(path)
        if seen != expected and not (nothing(seen) and nothing(expected)):
            lines.append(f"{what}: {path}: the hypervisor says {expected!r}, the API shows {seen!r}")
    for path in sorted(set(shown) - set(truth) - set(more)):
        if not nothing(shown[path]):
            lines.append(f"{what}: {path}: the API shows {shown[path]!r}, the table of this test does not know the field")
    return lines
