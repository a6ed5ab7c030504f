# SPDX-License-Identifier: Apache-2.0
"""SPNEGO around NTLM: as much of RFC 4178 as clients of Negotiate need, with its check of the mechanism list."""

NTLM_OID = bytes.fromhex("2b06010401823702020a")
SPNEGO_OID = bytes.fromhex("2b0601050502")
COMPLETED, INCOMPLETE, REJECT, REQUEST_MIC = 0, 1, 2, 3


class Bad(Exception):
    pass


def _der(tag, data):
    size = len(data)
    if size < 0x80:
        head = bytes([size])
    else:
        digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
        head = bytes([0x80 | len(digits)]) + digits
    return bytes([tag]) + head + data


def _take(data, at=0):
    """(tag, content, next position)"""
    if at + 2 > len(data):
        raise Bad("truncated")
    tag, size = data[at], data[at + 1]
    at += 2
    if size & 0x80:
        count = size & 0x7F
        if count > 4 or at + count > len(data):
            raise Bad("bad length")
        size = int.from_bytes(data[at:at + count], "big")
        at += count
    if at + size > len(data):
        raise Bad("truncated")
    return tag, data[at:at + size], at + size


def _fields(data):
    found, at = {}, 0
    while at < len(data):
        tag, content, at = _take(data, at)
        found[tag] = content
    return found


def is_spnego(token):
    return bool(token) and token[0] in (0x60, 0xA1)


def first_mechanism(token):
    """The OID that a client's first token prefers: one of SPNEGO's list, or the token's own; b"" for others."""
    try:
        if not token or token[0] != 0x60:
            return b""
        _, inner, _ = _take(token)
        _, oid, at = _take(inner)
        if oid != SPNEGO_OID:
            return oid
        fields = _fields(_take(_take(inner, at)[1])[1])
        return _take(_take(fields[0xA0])[1])[1]
    except (Bad, KeyError, IndexError):
        return b""


class Exchange:
    """Unpacks what the client sends to NTLM tokens, and packs the answers."""

    def __init__(self):
        self.mechanisms = None
        self.optimistic = False
        self.mic = None
        self.first = True

    def read(self, token):
        """The NTLM token inside, or None when the client only named other mechanisms first."""
        if token[0] == 0x60:
            _, inner, _ = _take(token)
            tag, oid, at = _take(inner)
            if tag != 6 or oid != SPNEGO_OID:
                raise Bad("not SPNEGO")
            tag, choice, _ = _take(inner, at)
            if tag != 0xA0:
                raise Bad("no initial token")
            fields = _fields(_take(choice)[1])
            self.mechanisms = fields.get(0xA0, b"")
            listed, at = [], 0
            sequence = _take(self.mechanisms)[1]
            while at < len(sequence):
                _, oid, at = _take(sequence, at)
                listed.append(oid)
            if NTLM_OID not in listed:
                raise Bad("NTLM is not offered")
            self.optimistic = listed[0] == NTLM_OID
            if not self.optimistic or 0xA2 not in fields:
                return None
            return _take(fields[0xA2])[1]
        _, choice, _ = _take(token)
        fields = _fields(_take(choice)[1])
        if 0xA3 in fields:
            self.mic = _take(fields[0xA3])[1]
        return _take(fields[0xA2])[1] if 0xA2 in fields else None

    def answer(self, state, token=None, mic=None):
        rows = _der(0xA0, _der(0x0A, bytes([state])))
        if self.first:
            rows += _der(0xA1, _der(0x06, NTLM_OID))
            self.first = False
        if token is not None:
            rows += _der(0xA2, _der(0x04, token))
        if mic is not None:
            rows += _der(0xA3, _der(0x04, mic))
        return _der(0xA1, _der(0x30, rows))
