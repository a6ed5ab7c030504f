# SPDX-License-Identifier: Apache-2.0
"""The server side of Kerberos: the system's GSS-API library (MIT), keys out of a keytab, sealing of messages."""

import ctypes
import threading
from ctypes import byref, c_int, c_size_t, c_uint32, c_void_p

CHANNEL_BOUND = 2048
KRB5_OID = bytes.fromhex("2a864886f712010202")
HEADER, PADDING, DATA, STREAM = 2, 9, 1, 10
ALLOCATE = 0x10000
AF_UNSPEC = 0


class Bad(Exception):
    """Refused; token is what the client may be told."""

    def __init__(self, text, token=b""):
        super().__init__(text)
        self.token = token


class _Buffer(ctypes.Structure):
    _fields_ = [("length", c_size_t), ("value", c_void_p)]


class _Oid(ctypes.Structure):
    _fields_ = [("length", c_uint32), ("elements", c_void_p)]


class _Iov(ctypes.Structure):
    _fields_ = [("type", c_uint32), ("buffer", _Buffer)]


class _Bindings(ctypes.Structure):
    _fields_ = [("initiator_type", c_uint32), ("initiator", _Buffer), ("acceptor_type", c_uint32),
                ("acceptor", _Buffer), ("data", _Buffer)]


_lock = threading.Lock()
_library = None


def _gss():
    global _library
    with _lock:
        if _library is None:
            _library = ctypes.CDLL("libgssapi_krb5.so.2")
    return _library


def _bytes(buffer):
    return ctypes.string_at(buffer.value, buffer.length) if buffer.length else b""


def _of(data):
    """A buffer over bytes, and what keeps them alive."""
    room = ctypes.create_string_buffer(data, len(data))
    return _Buffer(len(data), ctypes.cast(room, c_void_p)), room


def _text(code, kind):
    gss = _gss()
    minor, more, out = c_uint32(), c_uint32(), _Buffer()
    gss.gss_display_status(byref(minor), c_uint32(code), c_int(kind), None, byref(more), byref(out))
    text = _bytes(out).decode("utf-8", "replace")
    gss.gss_release_buffer(byref(minor), byref(out))
    return text


def use_keytab(path):
    """All acceptors of this process take their keys from there."""
    if _gss().krb5_gss_register_acceptor_identity(str(path).encode()) != 0:
        raise Bad(f"the keytab {path} cannot be used")


def end_point(hash_of_certificate):
    """What tls-server-end-point (RFC 5929) binds to."""
    return b"tls-server-end-point:" + hash_of_certificate


class Session:
    """One connection's context: tokens in, tokens out, then messages."""

    def __init__(self, strict=None):
        """strict: the channel binding (bytes) without which nobody is let in, or None."""
        self.context = c_void_p()
        self.strict = strict
        self.user = None
        self.complete = False

    def __del__(self):
        if self.context:
            minor = c_uint32()
            _gss().gss_delete_sec_context(byref(minor), byref(self.context), None)

    def accept(self, token):
        """The answer to a token; raises Bad."""
        gss = _gss()
        minor, flags, name, mech, out = c_uint32(), c_uint32(), c_void_p(), c_void_p(), _Buffer()
        buffer, _room = _of(token)
        bindings, _data = None, None
        if self.strict is not None:
            data, _data = _of(self.strict)
            bindings = byref(_Bindings(AF_UNSPEC, _Buffer(), AF_UNSPEC, _Buffer(), data))
        major = gss.gss_accept_sec_context(byref(minor), byref(self.context), None, byref(buffer), bindings, byref(name),
                                           byref(mech), byref(out), byref(flags), None, None)
        answer = _bytes(out)
        ignored = c_uint32()
        gss.gss_release_buffer(byref(ignored), byref(out))
        if name:
            shown = _Buffer()
            gss.gss_display_name(byref(ignored), name, byref(shown), None)
            self.user = _bytes(shown).decode()
            gss.gss_release_buffer(byref(ignored), byref(shown))
            gss.gss_release_name(byref(ignored), byref(name))
        major &= 0xFFFFFFFF
        if major & 0xFFFF0000:
            raise Bad(f"Kerberos: {_text(major, 1)}: {_text(minor.value, 2)}", answer)
        self.complete = major == 0
        if self.complete and self.strict is not None and not flags.value & CHANNEL_BOUND:
            raise Bad("Kerberos: the client does not bind itself to this TLS connection")
        return answer

    def unwrap(self, header, data):
        gss = _gss()
        minor, conf = c_uint32(), c_int()
        whole, _room = _of(header + data)
        iov = (_Iov * 2)(_Iov(STREAM, whole), _Iov(DATA, _Buffer()))
        major = gss.gss_unwrap_iov(byref(minor), self.context, byref(conf), None, iov, 2)
        if major & 0xFFFF0000 or not conf.value:
            raise Bad(f"the message cannot be opened: {_text(minor.value, 2)}")
        return _bytes(iov[1].buffer)

    def wrap(self, clear):
        gss = _gss()
        minor, conf = c_uint32(), c_int()
        data, room = _of(clear)
        iov = (_Iov * 3)(_Iov(HEADER | ALLOCATE, _Buffer()), _Iov(DATA, data), _Iov(PADDING | ALLOCATE, _Buffer()))
        major = gss.gss_wrap_iov(byref(minor), self.context, 1, 0, byref(conf), iov, 3)
        if major & 0xFFFF0000 or not conf.value:
            raise Bad(f"the message cannot be sealed: {_text(minor.value, 2)}")
        header, sealed = _bytes(iov[0].buffer), room.raw[:len(clear)] + _bytes(iov[2].buffer)
        for part in (iov[0].buffer, iov[2].buffer):
            gss.gss_release_buffer(byref(minor), byref(part))
        return header, sealed


def _der(tag, data):
    size = len(data)
    head = bytes([size]) if size < 0x80 else bytes([0x81, size]) if size < 0x100 else bytes([0x82]) + size.to_bytes(2, "big")
    return bytes([tag]) + head + data


def error_token(code, realm, service):
    """A KRB-ERROR (RFC 4120 5.9.1) in GSS-API's frame, as a host sends it that cannot accept a ticket."""
    def number(value):
        return _der(0x02, value.to_bytes(2, "big").lstrip(b"\0") or b"\0")

    def string(text):
        return _der(0x1B, text.encode())

    name = _der(0x30, _der(0xA0, number(3)) + _der(0xA1, _der(0x30, b"".join(string(p) for p in service.split("/")))))
    body = (_der(0xA0, number(5)) + _der(0xA1, number(30)) + _der(0xA4, _der(0x18, b"20200101000000Z")) +
            _der(0xA5, number(0)) + _der(0xA6, number(code)) + _der(0xA9, string(realm)) + _der(0xAA, name))
    inner = _der(0x06, KRB5_OID) + b"\x03\x00" + _der(0x7E, _der(0x30, body))
    return _der(0x60, inner)


__all__ = ["Bad", "Session", "end_point", "error_token", "use_keytab"]
