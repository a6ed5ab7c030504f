# SPDX-License-Identifier: Apache-2.0
"""The server side of NTLMv2: challenge, check of the answer, session keys, sealing of messages."""

import hashlib
import hmac
import os
import struct
import time

from cryptography.hazmat.primitives.ciphers import Cipher

try:
    from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
except ModuleNotFoundError:  # before version 43, as in Debian 12
    from cryptography.hazmat.primitives.ciphers.algorithms import ARC4

SIGNATURE = b"NTLMSSP\0"
UNICODE, OEM, TARGET, SIGN, SEAL, NTLM = 1, 2, 4, 0x10, 0x20, 0x200
ALWAYS_SIGN, TARGET_SERVER, EXTENDED, INFO, VERSION, KEY128, KEY_EXCH, KEY56 = (
    0x8000, 0x20000, 0x80000, 0x800000, 0x2000000, 0x20000000, 0x40000000, 0x80000000)
FILETIME_1970 = 116444736000000000


class Bad(Exception):
    pass


def _rotate(x, n):
    return ((x << n) | (x >> (32 - n))) & 0xFFFFFFFF


def md4(data: bytes) -> bytes:
    """MD4 of RFC 1320; OpenSSL 3 has it no longer switched on."""
    size = len(data) * 8
    data += b"\x80" + b"\0" * ((55 - len(data)) % 64) + struct.pack("<Q", size)
    a, b, c, d = 0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476
    for start in range(0, len(data), 64):
        x = struct.unpack("<16I", data[start:start + 64])
        aa, bb, cc, dd = a, b, c, d
        for i in range(16):
            k, s = i, (3, 7, 11, 19)[i % 4]
            a = _rotate((a + ((b & c) | (~b & d)) + x[k]) & 0xFFFFFFFF, s)
            a, b, c, d = d, a, b, c
        for i in range(16):
            k, s = (i % 4) * 4 + i // 4, (3, 5, 9, 13)[i % 4]
            a = _rotate((a + ((b & c) | (b & d) | (c & d)) + x[k] + 0x5A827999) & 0xFFFFFFFF, s)
            a, b, c, d = d, a, b, c
        for i in range(16):
            k, s = (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15)[i], (3, 9, 11, 15)[i % 4]
            a = _rotate((a + (b ^ c ^ d) + x[k] + 0x6ED9EBA1) & 0xFFFFFFFF, s)
            a, b, c, d = d, a, b, c
        a, b, c, d = (a + aa) & 0xFFFFFFFF, (b + bb) & 0xFFFFFFFF, (c + cc) & 0xFFFFFFFF, (d + dd) & 0xFFFFFFFF
    return struct.pack("<4I", a, b, c, d)


def _mac(key, data):
    return hmac.new(key, data, hashlib.md5).digest()


def _rc4(key):
    return Cipher(ARC4(key), mode=None).encryptor()


_SIGN = {True: b"session key to client-to-server signing key magic constant\0",
         False: b"session key to server-to-client signing key magic constant\0"}
_SEAL = {True: b"session key to client-to-server sealing key magic constant\0",
         False: b"session key to server-to-client sealing key magic constant\0"}


class Direction:
    """Keys and sequence number of one direction."""

    def __init__(self, key, flags, client):
        self.sign_key = hashlib.md5(key + _SIGN[client]).digest()
        short = key if flags & KEY128 else key[:7] if flags & KEY56 else key[:5]
        self.seal_key = hashlib.md5(short + _SEAL[client]).digest()
        self.cipher = _rc4(self.seal_key)
        self.number = 0
        self.exchange = bool(flags & KEY_EXCH)

    def signature(self, data):
        check = _mac(self.sign_key, struct.pack("<I", self.number) + data)[:8]
        if self.exchange:
            check = self.cipher.update(check)
        text = struct.pack("<I", 1) + check + struct.pack("<I", self.number)
        self.number += 1
        return text

    def reset(self):
        self.cipher = _rc4(self.seal_key)


class Session:
    """What an authenticated connection keeps."""

    def __init__(self, user, domain, key, flags):
        self.user = user
        self.domain = domain
        self.flags = flags
        self.incoming = Direction(key, flags, True)
        self.outgoing = Direction(key, flags, False)

    def unwrap(self, header, data):
        clear = self.incoming.cipher.update(data)
        if not hmac.compare_digest(self.incoming.signature(clear), header):
            raise Bad("the signature of the message is wrong")
        return clear

    def wrap(self, clear):
        sealed = self.outgoing.cipher.update(clear)
        return self.outgoing.signature(clear), sealed

    def sign(self, data):
        return self.outgoing.signature(data)

    def verify(self, data, signature):
        return hmac.compare_digest(self.incoming.signature(data), signature)

    def reset(self):
        self.incoming.reset()
        self.outgoing.reset()


def _field(data, at):
    length, _, offset = struct.unpack_from("<HHI", data, at)
    if offset + length > len(data):
        raise Bad("a field lies outside of the message")
    return data[offset:offset + length]


def channel_hash(binding):
    """MsvAvChannelBindings: MD5 over a gss_channel_bindings_struct without addresses ([MS-NLMP] 2.2.2.1)."""
    return hashlib.md5(b"\0" * 16 + struct.pack("<I", len(binding)) + binding).digest()


def message_type(token):
    if len(token) < 12 or token[:8] != SIGNATURE:
        raise Bad("no NTLM message")
    return struct.unpack_from("<I", token, 8)[0]


class Server:
    """One handshake: negotiate in, challenge out, authenticate in."""

    def __init__(self, host, strict=None):
        """strict: the channel binding (bytes) without which nobody is let in, or None."""
        self.host = host
        self.strict = strict
        self.challenge = os.urandom(8)
        self.negotiate = None
        self.sent = None

    def answer(self, token) -> bytes:
        self.negotiate = token
        flags = struct.unpack_from("<I", token, 12)[0]
        kept = flags & (UNICODE | OEM | SIGN | SEAL | NTLM | ALWAYS_SIGN | EXTENDED | KEY128 | KEY_EXCH | KEY56)
        if kept & UNICODE:
            kept &= ~OEM
        elif not kept & OEM:
            raise Bad("neither Unicode nor OEM strings")
        self.flags = kept | NTLM | TARGET_SERVER | INFO | VERSION | (TARGET if flags & TARGET else 0) | EXTENDED
        name = self.host.name.encode("utf-16-le")
        target = name if kept & UNICODE else self.host.name.encode("ascii", "replace")
        dns = self.host.fqdn.encode("utf-16-le")
        stamp = struct.pack("<Q", int(time.time() * 10_000_000) + FILETIME_1970)
        info = b"".join(struct.pack("<HH", kind, len(value)) + value for kind, value in (
            (2, name), (1, name), (4, dns), (3, dns), (7, stamp))) + struct.pack("<HH", 0, 0)
        version = struct.pack("<BBHBBBB", 10, 0, int(self.host.build["number"]) & 0xFFFF, 0, 0, 0, 15)
        start = 56
        self.sent = (SIGNATURE + struct.pack("<I", 2) + struct.pack("<HHI", len(target), len(target), start) +
                     struct.pack("<I", self.flags) + self.challenge + b"\0" * 8 +
                     struct.pack("<HHI", len(info), len(info), start + len(target)) + version + target + info)
        return self.sent

    def authenticate(self, token, look_up) -> Session:
        """look_up(user, domain) answers the password or None. Raises Bad for everything that does not hold."""
        if self.sent is None:
            raise Bad("no challenge was sent")
        answer = _field(token, 20)
        coding = "utf-16-le" if self.flags & UNICODE else "latin-1"
        domain = _field(token, 28).decode(coding, "replace")
        user = _field(token, 36).decode(coding, "replace")
        encrypted = _field(token, 52)
        flags = struct.unpack_from("<I", token, 60)[0] & self.flags
        if not user:
            raise Bad("anonymous")
        if len(answer) < 44:
            raise Bad("only NTLMv2 is accepted")
        password = look_up(user, domain)
        if password is None:
            raise Bad(f"unknown account {domain}\\{user}")
        key = _mac(md4(password.encode("utf-16-le")), (user.upper() + domain).encode("utf-16-le"))
        proof, blob = answer[:16], answer[16:]
        if not hmac.compare_digest(_mac(key, self.challenge + blob), proof):
            raise Bad(f"wrong password of {domain}\\{user}")
        session_key = _mac(key, proof)
        if flags & KEY_EXCH:
            if len(encrypted) != 16:
                raise Bad("the session key is missing")
            session_key = _rc4(session_key).update(encrypted)
        pairs = self._pairs(blob)
        if self.strict is not None and pairs.get(10) != channel_hash(self.strict):
            raise Bad("the channel binding is missing or is that of another connection")
        self._check_integrity(token, pairs, session_key)
        return Session(user, domain, session_key, flags | (KEY128 if self.flags & KEY128 else 0))

    @staticmethod
    def _pairs(blob):
        """The target information that the client sent back: number -> value."""
        at, found = 28, {}
        while at + 4 <= len(blob):
            kind, length = struct.unpack_from("<HH", blob, at)
            if kind == 0:
                break
            found[kind] = blob[at + 4:at + 4 + length]
            at += 4 + length
        return found

    def _check_integrity(self, token, pairs, session_key):
        """The MIC, when the client says in its target information that there is one."""
        if len(pairs.get(6, b"")) != 4 or not struct.unpack("<I", pairs[6])[0] & 2:
            return
        mic = token[72:88]
        cleared = token[:72] + b"\0" * 16 + token[88:]
        if not hmac.compare_digest(_mac(session_key, self.negotiate + self.sent + cleared), mic):
            raise Bad("the integrity check of the handshake failed")
