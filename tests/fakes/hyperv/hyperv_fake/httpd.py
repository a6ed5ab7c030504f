# SPDX-License-Identifier: Apache-2.0
"""HTTP and TLS: listeners of hosts, connections without threads, the choreography of 401, encrypted messages."""

import asyncio
import asyncio.sslproto
import base64
import binascii
import re
import time

from . import kerberos, ntlm, service, spnego

# 256 KB a connection is too much for thousands of connections.
asyncio.sslproto.SSLProtocol.max_size = 64 * 1024

HEAD_LIMIT = 64 * 1024
BODY_LIMIT = 16 << 20
REASONS = {100: "Continue", 200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
           405: "Method Not Allowed", 411: "Length Required", 413: "Request Entity Too Large",
           415: "Unsupported Media Type", 500: "Internal Server Error", 503: "Service Unavailable"}
BOUNDARY = b"Encrypted Boundary"
SPNEGO_PROTOCOL = "application/HTTP-SPNEGO-session-encrypted"
KERBEROS_PROTOCOL = "application/HTTP-Kerberos-session-encrypted"
MUTUAL = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"


class Endpoint:
    """The listener of one host (or of several behind path prefixes)."""

    def __init__(self, host, address, port=0, context=None, hosts=None):
        self.host = host
        self.hosts = hosts or {}
        self.address = address
        self.port = port
        self.context = context
        self.server = None
        self.connections = set()

    @property
    def url(self):
        scheme = "https" if self.context else "http"
        shown = f"[{self.address}]" if ":" in self.address else self.address
        return f"{scheme}://{shown}:{self.port}/wsman"

    async def start(self):
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(lambda: Connection(self), self.address, self.port, ssl=self.context,
                                               reuse_address=True, backlog=128)
        self.port = self.server.sockets[0].getsockname()[1]

    async def stop(self, drop=True):
        if self.server:
            self.server.close()
            self.server = None
        if drop:
            self.drop()

    def drop(self):
        for connection in list(self.connections):
            connection.abort()

    def find(self, path):
        """The host of a path: /wsman, or /NAME/wsman behind a shared port."""
        parts = [p for p in path.split("?")[0].split("/") if p]
        if not self.hosts:
            return (self.host, parts) if parts and parts[0].lower() in ("wsman", "wsman-anon") else (None, parts)
        if len(parts) >= 2:
            return self.hosts.get(parts[0].lower()), parts[1:]
        return None, parts


class Connection(asyncio.Protocol):
    """One connection: requests one after the other; NTLM authenticates it as a whole."""
    count = 0

    def __init__(self, endpoint):
        Connection.count += 1
        self.number = Connection.count
        self.endpoint = endpoint
        self.transport = None
        self.buffer = bytearray()
        self.busy = False
        self.session = None
        self.exchange = None
        self.handshake = None
        self.user = None
        self.head = None
        self.timer = None
        self.seen = 0.0
        self.closed = False
        self.task = None
        self.protocol = SPNEGO_PROTOCOL

    def connection_made(self, transport):
        self.transport = transport
        endpoint = self.endpoint
        endpoint.connections.add(self)
        host = endpoint.host
        host.estate.ledger.connections[host.name] += 1
        self.seen = time.monotonic()
        self._watch()

    def _watch(self):
        limit = self.endpoint.host.behaviour.connection_limit_seconds
        self.timer = asyncio.get_running_loop().call_later(limit, self._idle, limit)

    def _idle(self, limit):
        if self.closed:
            return
        if not self.busy and time.monotonic() - self.seen >= limit - 0.5:
            self.transport.close()
        else:
            self._watch()

    def connection_lost(self, _error):
        self.closed = True
        self.endpoint.connections.discard(self)
        if self.timer:
            self.timer.cancel()

    def abort(self):
        if self.transport is not None:
            self.transport.abort()

    def data_received(self, data):
        self.buffer += data
        self.seen = time.monotonic()
        if not self.busy:
            self._next()

    def _next(self):
        """Takes the next whole request out of the buffer."""
        if self.head is None:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self.buffer) > HEAD_LIMIT:
                    self._reply(400, b"", close=True)
                return
            text = bytes(self.buffer[:end]).decode("latin-1")
            del self.buffer[:end + 4]
            lines = text.split("\r\n")
            words = lines[0].split(" ")
            headers = {}
            for line in lines[1:]:
                name, colon, value = line.partition(":")
                if colon:
                    headers[name.strip().lower()] = value.strip()
            if len(words) != 3 or not words[2].startswith("HTTP/1."):
                self._reply(400, b"", close=True)
                return
            length = headers.get("content-length", "0" if words[0] != "POST" else "")
            if "transfer-encoding" in headers or not length.isdigit():
                self._reply(411, b"", close=True)
                return
            if int(length) > BODY_LIMIT:
                self._reply(413, b"", close=True)
                return
            if headers.get("expect", "").lower() == "100-continue":
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.head = (words[0], words[1], headers, int(length), words[2])
        if len(self.buffer) < self.head[3]:
            return
        verb, path, headers, length, version = self.head
        self.head = None
        body = bytes(self.buffer[:length])
        del self.buffer[:length]
        self.busy = True
        close = headers.get("connection", "").lower() == "close" or version == "HTTP/1.0"
        self.task = asyncio.ensure_future(self._serve(verb, path, headers, body, close))
        self.task.add_done_callback(self._served)

    def _served(self, task):
        self.busy = False
        if self.session is not None and self.endpoint.host.behaviour.each_request:
            self.user = self.session = None
        self.task = None
        if not task.cancelled() and task.exception() is not None:
            self.endpoint.host.estate.broken(task.exception())
            self.abort()
            return
        if not self.closed and self.buffer:
            self._next()

    def _reply(self, status, body, headers=(), kind="application/soap+xml;charset=UTF-8", close=False):
        if self.closed:
            return
        rows = [f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}"]
        if body:
            rows.append(f"Content-Type: {kind}")
        rows.append("Server: Microsoft-HTTPAPI/2.0")
        rows += headers
        rows.append(f"Content-Length: {len(body)}")
        if close:
            rows.append("Connection: close")
        self.transport.write(("\r\n".join(rows) + "\r\n\r\n").encode("latin-1") + body)
        self.endpoint.host.estate.ledger.bytes_out += len(body)
        if close:
            self.transport.close()

    async def _serve(self, verb, path, headers, body, close):
        host, parts = self.endpoint.find(path)
        if host is None:
            self._reply(404, b"", close=close)
            return
        if verb != "POST":
            self._reply(405, b"", ["Allow: POST"], close=close)
            return
        if len(self.endpoint.connections) > host.limits.connections:
            self._reply(503, b"", close=True)
            return
        if parts[0].lower() == "wsman-anon" or headers.get("wsmanidentify", "").lower() == "unauthenticated":
            if parts[-1].lower() == "identify" and headers.get("wsmanidentify", "").lower() == "unauthenticated":
                host.estate.ledger.request(host, {"action": "Identify", "class": None, "user": None,
                                                  "bytes_in": len(body), "selectors": {}})
                self._reply(200, service.identify_answer(host, True).encode())
            else:
                self._reply(401, b"", self._offers(host))
            return
        for rule in host.estate.faults.look(host, "HTTP", None, None):
            if rule.delay:
                await asyncio.sleep(rule.delay / 1000)
                if self.closed:
                    return
            if rule.drop:
                self.abort()
                return
            if rule.status:
                self._reply(rule.status, rule.body.encode(), self._offers(host) if rule.status == 401 else ())
                return
        answered = self._authenticate(host, headers)
        if answered is not None:
            status, rows = answered
            self._reply(status, b"", rows)
            return
        secure = self.endpoint.context is not None
        extra = self._last_token()
        kind = headers.get("content-type", "")
        encrypted = kind.lower().startswith(("multipart/encrypted", "multipart/x-multi-encrypted"))
        if encrypted:
            body, kind = self._unseal(body, kind)
            if body is None:
                self._reply(400, b"", extra)
                return
        elif not body and not secure:
            self._reply(200, b"", extra)
            return
        elif not secure and not host.limits.allow_unencrypted:
            self._reply(401, b"", self._offers(host))
            return
        await self._soap(host, headers, body, kind, encrypted, extra, close)

    async def _soap(self, host, headers, body, kind, encrypted, extra, close):
        match = re.search(r"charset=\"?([\w-]+)", kind, re.IGNORECASE)
        charset = (match.group(1) if match else "utf-8").lower()
        if not kind.lower().startswith("application/soap+xml") or charset not in ("utf-8", "utf-16"):
            self._reply(415, b"", extra, close=close)
            return
        answer = await service.handle(host, body, None if charset == "utf-8" else "utf-16", self.user)
        if self.closed:
            return
        if answer.drop:
            self.abort()
            return
        data = answer.text.encode("utf-8") if charset == "utf-8" else answer.text.encode("utf-16")
        if answer.cut is not None:
            self.transport.write((f"HTTP/1.1 {answer.status} OK\r\nContent-Type: application/soap+xml;charset=UTF-8\r\n"
                                  f"Content-Length: {len(data)}\r\n\r\n").encode() + data[:answer.cut])
            self.transport.close()
            return
        content = f"application/soap+xml;charset={charset.upper()}"
        if encrypted:
            data, content = self._seal(data, content)
        self._reply(answer.status, data, extra, content, close)

    # Authentication

    def _offers(self, host):
        rows = []
        if host.limits.negotiate:
            rows.append("WWW-Authenticate: Negotiate")
        if host.limits.kerberos:
            rows.append("WWW-Authenticate: Kerberos")
        if host.limits.basic and (self.endpoint.context is not None or host.limits.allow_unencrypted):
            rows.append('WWW-Authenticate: Basic realm="WSMAN"')
        return rows

    def _last_token(self):
        rows, self.exchange_rows = getattr(self, "exchange_rows", ()), ()
        return list(rows)

    def _failed(self, host, user, why):
        host.estate.ledger.logons["failed"] += 1
        host.failed_logons += 1
        host.estate.ledger.effect(host, "logon failed", user, {"reason": why, "connection": self.number})
        if host.limits.lockout and host.failed_logons >= host.limits.lockout:
            host.locked_until = time.monotonic() + 60
        return 401, self._offers(host)

    def _passed(self, host, user):
        host.failed_logons = 0
        host.estate.ledger.logons["passed"] += 1
        self.user = user

    def _password(self, host, user, domain):
        """The password of an account; domain may be empty, the host's or the estate's."""
        if time.monotonic() < host.locked_until:
            return None
        if "@" in user:
            user, _, domain = user.partition("@")
        allowed = {"", ".", host.name.lower(), host.domain.lower(), host.domain.split(".")[0].lower()}
        if user.lower() != host.user.lower() or domain.lower() not in allowed:
            return None
        return host.password

    def _authenticate(self, host, headers):
        """None when the request may go on, else (status, headers) to answer with."""
        text = headers.get("authorization", "")
        if not text:
            if self.user is not None and self.session is not None:
                return None
            self.user = None
            return 401, self._offers(host)
        scheme, _, value = text.partition(" ")
        if text == MUTUAL:
            return self._by_certificate(host)
        if scheme.lower() == "basic" and host.limits.basic and (
                self.endpoint.context is not None or host.limits.allow_unencrypted):
            return self._basic(host, value)
        if scheme.lower() == "kerberos" and host.limits.kerberos:
            return self._kerberos(host, scheme, value.strip())
        if scheme.lower() in ("negotiate", "ntlm") and host.limits.negotiate:
            return self._negotiate(host, scheme, value.strip())
        self.user = None
        return 401, self._offers(host)

    def _by_certificate(self, host):
        found = self.transport.get_extra_info("ssl_object")
        shown = found.getpeercert(binary_form=True) if found is not None else None
        if host.limits.certificate and shown is not None and shown in host.certificate_users:
            self._passed(host, host.user)
            return None
        return self._failed(host, "certificate", "no certificate that is mapped")

    def _basic(self, host, value):
        try:
            user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return self._failed(host, "?", "not base64")
        domain, _, name = user.rpartition("\\")
        wanted = self._password(host, name, domain)
        if wanted is None or wanted != password:
            return self._failed(host, user, "wrong account or password")
        if self.user != user:
            self._passed(host, user)
        return None

    def _negotiate(self, host, scheme, value):
        if not value and self.user is not None and self.session is not None:
            return None
        if host.limits.kerberos and (isinstance(self.handshake, kerberos.Session) or self._is_kerberos(value)):
            return self._kerberos(host, scheme, value)
        try:
            token = base64.b64decode(value, validate=True)
            wrapped = spnego.is_spnego(token)
            if wrapped:
                if self.exchange is None or token[0] == 0x60:
                    self.exchange = spnego.Exchange()
                inner = self.exchange.read(token)
                if inner is None:
                    raw = self.exchange.answer(spnego.REQUEST_MIC)
                    return self._challenge(scheme, raw)
            else:
                inner = token
            kind = ntlm.message_type(inner)
            if kind == 1:
                self.user = self.session = None
                self.handshake = ntlm.Server(host, self._strict(host))
                answer = self.handshake.answer(inner)
                if wrapped:
                    answer = self.exchange.answer(spnego.INCOMPLETE, answer)
                return self._challenge(scheme, answer)
            if kind != 3 or self.handshake is None:
                raise ntlm.Bad("no handshake is under way on this connection")
            session = self.handshake.authenticate(inner, lambda u, d: self._password(host, u, d))
            final = None
            if wrapped:
                mic = None
                if self.exchange.mic is not None:
                    if not session.verify(self.exchange.mechanisms, self.exchange.mic):
                        raise ntlm.Bad("the mechanism list was tampered with")
                    mic = session.sign(self.exchange.mechanisms)
                    session.reset()
                final = self.exchange.answer(spnego.COMPLETED, None, mic)
        except (binascii.Error, ValueError, IndexError, KeyError, ntlm.Bad, spnego.Bad) as error:
            self.handshake = self.exchange = None
            return self._failed(host, "?", str(error))
        self.handshake = None
        self.session = session
        self.protocol = SPNEGO_PROTOCOL
        self._passed(host, f"{session.domain}\\{session.user}" if session.domain else session.user)
        if final is not None:
            self.exchange_rows = [f"WWW-Authenticate: {scheme} {base64.b64encode(final).decode()}"]
        return None

    def _strict(self, host):
        """The channel binding that clients have to show, or None."""
        if host.limits.cbt != "Strict" or self.endpoint.context is None:
            return None
        return b"tls-server-end-point:" + b"x" * 32 if host.behaviour.other_channel else self.endpoint.context.binding

    @staticmethod
    def _is_kerberos(value):
        try:
            return spnego.first_mechanism(base64.b64decode(value, validate=True)) == kerberos.KRB5_OID
        except binascii.Error:
            return False

    def _kerberos(self, host, scheme, value):
        refusal = b""
        try:
            token = base64.b64decode(value, validate=True)
            if not isinstance(self.handshake, kerberos.Session):
                self.user = self.session = None
                self.handshake = kerberos.Session(self._strict(host))
            if host.behaviour.kerberos_error:
                raise kerberos.Bad(f"error {host.behaviour.kerberos_error}", kerberos.error_token(
                    host.behaviour.kerberos_error, "EXAMPLE.COM", f"HTTP/{host.fqdn}"))
            answer = self.handshake.accept(token)
        except (binascii.Error, kerberos.Bad) as error:
            self.handshake = None
            refusal = getattr(error, "token", b"")
            status, rows = self._failed(host, "?", str(error))
            return status, self._challenge(scheme, refusal)[1] if refusal else rows
        if not self.handshake.complete:
            return self._challenge(scheme, answer)
        self.session, self.handshake = self.handshake, None
        self.protocol = KERBEROS_PROTOCOL if scheme.lower() == "kerberos" else SPNEGO_PROTOCOL
        self._passed(host, self.session.user)
        self.exchange_rows = [f"WWW-Authenticate: {scheme} {base64.b64encode(answer).decode()}"]
        return None

    @staticmethod
    def _challenge(scheme, token):
        return 401, [f"WWW-Authenticate: {scheme} {base64.b64encode(token).decode()}"]

    # Message encryption

    def _unseal(self, body, kind):
        """The clear message and its content type; (None, "") when anything is not as it must be."""
        if self.session is None or self.protocol.lower() not in kind.lower():
            return None, ""
        match = re.match(rb"(?s)--\s?Encrypted Boundary\r\n\s*Content-Type: (?P<protocol>[^\r]+)\r\n"
                         rb"\s*OriginalContent: type=(?P<type>[^\r]+?);Length=(?P<length>\d+)\r\n"
                         rb"--\s?Encrypted Boundary\r\n\s*Content-Type: application/octet-stream\r\n", body)
        tail = re.search(rb"--\s?Encrypted Boundary--(\r\n)?$", body)
        if not match or not tail:
            return None, ""
        data = body[match.end():tail.start()]
        size = int.from_bytes(data[:4], "little")
        if len(data) < 4 + size or (size != 16 if isinstance(self.session, ntlm.Session) else not size):
            return None, ""
        try:
            clear = self.session.unwrap(data[4:4 + size], data[4 + size:])
        except (ntlm.Bad, kerberos.Bad):
            return None, ""
        if len(clear) != int(match["length"]):
            return None, ""
        return clear, match["type"].decode("latin-1")

    def _seal(self, data, content):
        signature, sealed = self.session.wrap(data)
        head = (f"--Encrypted Boundary\r\n\tContent-Type: {self.protocol}\r\n"
                f"\tOriginalContent: type={content};Length={len(data)}\r\n"
                "--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n").encode()
        body = head + len(signature).to_bytes(4, "little") + signature + sealed + b"--Encrypted Boundary--\r\n"
        return body, f'multipart/encrypted;protocol="{self.protocol}";boundary="Encrypted Boundary"'
