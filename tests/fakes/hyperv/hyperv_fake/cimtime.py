# SPDX-License-Identifier: Apache-2.0
"""Times: CIM text inside the model, the forms of WS-Man on the wire."""

import re
import time
from datetime import datetime, timezone

_DATE = re.compile(r"^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)\.(\d{6})([+-])(\d{3})$")
_INTERVAL = re.compile(r"^(\d{8})(\d\d)(\d\d)(\d\d)\.(\d{6}):000$")
_WILD = re.compile(r"^[\d*]{14}\.[\d*]{6}([+-][\d*]{3}|:000)$")


def now() -> float:
    return time.time()


def cim(seconds: float) -> str:
    """A point in time as CIM text in UTC."""
    at = datetime.fromtimestamp(seconds, timezone.utc)
    return at.strftime("%Y%m%d%H%M%S.") + f"{at.microsecond:06d}-000"


def interval(seconds: float) -> str:
    whole = int(seconds)
    micro = int(round((seconds - whole) * 1e6))
    days, rest = divmod(whole, 86400)
    return f"{days:08d}{rest // 3600:02d}{rest // 60 % 60:02d}{rest % 60:02d}.{micro:06d}:000"


def is_cim(text: str) -> bool:
    return bool(_WILD.match(text))


def parse_interval(text: str):
    match = _INTERVAL.match(text)
    if not match:
        return None
    d, h, m, s, micro = (int(g) for g in match.groups())
    return d * 86400 + h * 3600 + m * 60 + s + micro / 1e6


def parse_cim(text: str):
    match = _DATE.match(text)
    if not match:
        return None
    y, mo, d, h, mi, s, micro = (int(g) for g in match.groups()[:7])
    offset = int(match.group(9)) * (1 if match.group(8) == "+" else -1)
    return datetime(y, mo, d, h, mi, s, micro, timezone.utc).timestamp() - offset * 60


def xml_datetime(text: str) -> str:
    """The children of a datetime element."""
    match = _DATE.match(text)
    if match:
        y, mo, d, h, mi, s, micro, sign, offset = match.groups()
        fraction = "" if micro == "000000" else "." + micro.rstrip("0")
        minutes = int(offset)
        zone = "Z" if minutes == 0 else f"{sign}{minutes // 60:02d}:{minutes % 60:02d}"
        return f"<cim:Datetime>{y}-{mo}-{d}T{h}:{mi}:{s}{fraction}{zone}</cim:Datetime>"
    match = _INTERVAL.match(text)
    if match:
        d, h, m, s, micro = (int(g) for g in match.groups())
        fraction = f".{micro:06d}".rstrip("0") if micro else ""
        return f"<cim:Interval>P{d}DT{h}H{m}M{s}{fraction}S</cim:Interval>"
    return f"<cim:CIM_DateTime>{text}</cim:CIM_DateTime>"


_ISO = re.compile(r"^P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$")


def parse_duration(text: str):
    """An xs:duration as seconds; None when it is not one or is negative."""
    match = _ISO.match(text.strip())
    if not match or text.strip() in ("P", "PT"):
        return None
    y, mo, d, h, mi, s = (float(g) if g else 0.0 for g in match.groups())
    return ((y * 365 + mo * 30 + d) * 24 + h) * 3600 + mi * 60 + s
