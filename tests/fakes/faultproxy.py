#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A TLS proxy between the server under test and a provider, that misbehaves on command.

    faultproxy.py --upstream https://127.0.0.1:8989 --cert first=a.pem,a.key [--cert second=b.pem,b.key]

Prints one line of JSON when ready ({"port", "control", "pid"}) and ends on SIGTERM. It understands HTTP/1.1 just far enough
to know where requests and answers begin and end, and to name a request: the SOAP method, or "GET /path".

Control port (plain HTTP, JSON):
    POST   /rules   {"action", "method", "count", "skip", "delay_ms", "status", "headers", "body", "bytes"} -> {"id"}
    GET    /rules   the rules with the number of "hits"
    DELETE /rules   no rules any more; requests that hang are let go (their connections are closed)
    GET    /ledger  every request: {"n", "at", "connection", "method", "object", "rule", "forwarded", "status", "sent"}
    DELETE /ledger
    PUT    /state   any of {"refuse": bool, "certificate": name, "drop": true, "upstream": "host:port"}
    GET    /state

Actions (rules are looked at in order, the first that fits is used):
    delay        wait delay_ms, then go on as usual
    status       answer status (default 503) without forwarding
    cut_before   close the connection without forwarding
    cut_after    forward, wait for the whole answer, close the connection without passing it on
    cut_middle   forward, pass on half of the answer's body, close the connection
    truncate     forward, pass on half of the body with a matching Content-Length (broken XML, whole HTTP)
    garble       forward, overwrite some of the body's bytes
    flood        answer 200 with a body of "bytes" bytes without end of the document
    hang         forward nothing, answer nothing, keep the connection open
    hang_after   forward, swallow the answer, keep the connection open
"""

import argparse
import json
import os
import re
import signal
import socket
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HEAD_LIMIT = 64 * 1024
BODY_TAG = re.compile(rb"<(?:[\w.-]+:)?Body[^>]*>\s*(?:<!--.*?-->\s*)*<(?:[\w.-]+:)?([\w.-]+)", re.S)
THIS_TAG = re.compile(rb"<(?:[\w.-]+:)?_this[^>]*>([^<]*)<")


class Closed(Exception):
    """The other side ended the connection."""


class Stream:
    """Bytes of one connection, read line-wise or by count."""

    def __init__(self, sock):
        self.sock = sock
        self.held = b""

    def _more(self):
        data = self.sock.recv(65536)
        if not data:
            raise Closed()
        self.held += data

    def head(self) -> bytes:
        while b"\r\n\r\n" not in self.held:
            if len(self.held) > HEAD_LIMIT:
                raise Closed()
            self._more()
        end = self.held.index(b"\r\n\r\n") + 4
        head, self.held = self.held[:end], self.held[end:]
        return head

    def exactly(self, count: int) -> bytes:
        parts, have = [self.held[:count]], min(count, len(self.held))
        self.held = self.held[count:]
        while have < count:
            data = self.sock.recv(min(1 << 20, count - have))
            if not data:
                raise Closed()
            parts.append(data)
            have += len(data)
        return b"".join(parts)

    def line(self) -> bytes:
        while b"\r\n" not in self.held:
            self._more()
        end = self.held.index(b"\r\n")
        line, self.held = self.held[:end], self.held[end + 2:]
        return line

    def rest(self) -> bytes:
        parts = [self.held]
        self.held = b""
        while True:
            data = self.sock.recv(1 << 20)
            if not data:
                return b"".join(parts)
            parts.append(data)


class Message:
    """One request or answer: first line, headers as they came, the body without chunking."""

    def __init__(self, stream: Stream, bodyless=False, is_answer=False):
        lines = stream.head()[:-4].split(b"\r\n")
        self.first = lines[0]
        self.headers = [tuple(part.strip() for part in line.split(b":", 1)) for line in lines[1:]]
        if bodyless:
            self.body = b""
        elif b"chunked" in self.get(b"transfer-encoding").lower():
            self.body = self._chunks(stream)
        elif self.get(b"content-length"):
            if self.get(b"expect").lower() == b"100-continue":
                stream.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.body = stream.exactly(int(self.get(b"content-length")))
        else:
            self.body = stream.rest() if is_answer else b""

    @staticmethod
    def _chunks(stream: Stream) -> bytes:
        parts = []
        while True:
            size = int(stream.line().split(b";")[0], 16)
            if size == 0:
                while stream.line():
                    pass
                return b"".join(parts)
            parts.append(stream.exactly(size))
            stream.line()

    def get(self, name: bytes) -> bytes:
        return next((value for key, value in self.headers if key.lower() == name), b"")

    def drop(self, *names: bytes):
        self.headers = [(key, value) for key, value in self.headers if key.lower() not in names]

    def pack(self, body: bytes, length=None) -> bytes:
        self.drop(b"transfer-encoding", b"content-length", b"expect")
        head = [self.first] + [key + b": " + value for key, value in self.headers]
        head.append(b"Content-Length: %d" % (len(body) if length is None else length))
        return b"\r\n".join(head) + b"\r\n\r\n" + body


def name_of(request: Message) -> tuple[str, str]:
    """What a request is called in rules and ledger, and the object it is for."""
    verb, target = request.first.split(b" ")[:2]
    found = BODY_TAG.search(request.body) if verb == b"POST" else None
    if found:
        this = THIS_TAG.search(request.body)
        return found.group(1).decode(), this.group(1).decode(errors="replace") if this else ""
    return f"{verb.decode()} {target.decode(errors='replace').split('?')[0]}", ""


class Rule:
    def __init__(self, number: int, spec: dict):
        self.number = number
        self.spec = spec
        self.action = spec["action"]
        self.method = spec.get("method", "*")
        self.left = spec.get("count")
        self.skip = spec.get("skip", 0)
        self.hits = 0

    def fits(self, name: str) -> bool:
        if self.method != "*" and not re.fullmatch(self.method, name):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.left is not None:
            if self.left <= 0:
                return False
            self.left -= 1
        self.hits += 1
        return True


class Proxy:
    def __init__(self, upstream: str, contexts: dict, listen_port: int = 0):
        self.lock = threading.Lock()
        self.upstream = upstream
        self.upstream_context = ssl.create_default_context()
        self.upstream_context.check_hostname = False
        self.upstream_context.verify_mode = ssl.CERT_NONE
        self.contexts = contexts
        self.certificate = next(iter(contexts))
        self.rules: list[Rule] = []
        self.rule_count = 0
        self.ledger: list[dict] = []
        self.open: set = set()
        self.connections = 0
        self.released = threading.Event()
        self.listener = None
        self.port = listen_port
        self.listen()

    # Listening

    def listen(self):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", self.port))
        sock.listen(128)
        self.port = sock.getsockname()[1]
        self.listener = sock
        threading.Thread(target=self.accept, args=(sock,), daemon=True).start()

    def refuse(self):
        if self.listener is not None:
            # shutdown wakes the thread that waits in accept
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None

    def accept(self, sock):
        while True:
            try:
                client, _ = sock.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def drop(self):
        with self.lock:
            doomed, self.open = self.open, set()
        for sock in doomed:
            self.close(sock)

    @staticmethod
    def close(sock):
        """An abrupt end: what a dying server or a firewall leaves behind."""
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        try:
            sock.close()
        except OSError:
            pass

    # One connection

    def serve(self, raw):
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self.lock:
            self.connections += 1
            number = self.connections
        client, upstream = raw, None
        try:
            client = self.contexts[self.certificate].wrap_socket(raw, server_side=True)
            with self.lock:
                self.open.add(client)
            stream = Stream(client)
            while True:
                request = Message(stream)
                upstream = self.exchange(number, client, request, upstream)
        except (OSError, Closed, ValueError):
            pass  # an end of connection, on either side, is what this program is for
        finally:
            with self.lock:
                self.open.discard(client)
            self.close(client)
            if upstream is not None:
                self.close(upstream.sock)

    def choose(self, number: int, request: Message):
        name, this = name_of(request)
        with self.lock:
            rule = next((r for r in self.rules if r.fits(name)), None)
            entry = {
                "n": len(self.ledger), "at": time.time(), "connection": number, "method": name, "object": this,
                "rule": rule.number if rule else None, "action": rule.action if rule else None,
                "forwarded": False, "status": None, "sent": 0,
            }
            self.ledger.append(entry)
        return rule, entry

    def connect(self) -> Stream:
        host, port = self.upstream.rsplit(":", 1)
        sock = socket.create_connection((host, int(port)), timeout=30)
        sock.settimeout(None)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Stream(self.upstream_context.wrap_socket(sock))

    def forward(self, request: Message, upstream, entry):
        data = request.pack(request.body)
        for fresh in (False, True):
            if upstream is None or fresh:
                upstream = self.connect()
            entry["forwarded"] = True
            try:
                upstream.sock.sendall(data)
                answer = Message(upstream, bodyless=request.first.startswith(b"HEAD "), is_answer=True)
                return upstream, answer
            except Closed:
                # The provider closed an idle connection just now: only then is a second try harmless.
                if fresh:
                    raise
        raise Closed()

    def hang(self):
        self.released.wait()
        raise Closed()

    def reply(self, client, entry, data: bytes):
        client.sendall(data)
        entry["sent"] = len(data)

    def exchange(self, number, client, request, upstream):
        rule, entry = self.choose(number, request)
        action = rule.action if rule else None
        spec = rule.spec if rule else {}
        if action == "delay":
            time.sleep(spec.get("delay_ms", 1000) / 1000)
        elif action == "cut_before":
            raise Closed()
        elif action == "hang":
            self.hang()
        elif action == "status":
            self.status(client, entry, spec)
            return upstream
        elif action == "flood":
            self.flood(client, entry, spec)
            raise Closed()

        if action in ("truncate", "garble", "cut_middle"):
            request.drop(b"accept-encoding")
        upstream, answer = self.forward(request, upstream, entry)
        entry["status"] = int(answer.first.split(b" ")[1])
        if action == "cut_after":
            raise Closed()
        if action == "hang_after":
            self.hang()
        if action == "cut_middle":
            half = answer.body[:len(answer.body) // 2]
            self.reply(client, entry, answer.pack(half, length=len(answer.body)))
            raise Closed()

        body = answer.body
        if action == "truncate":
            body = body[:len(body) // 2]
        elif action == "garble":
            third = len(body) // 3
            body = body[:third] + b"<<\x00&\xff]]>" + body[third + 8:]
        self.reply(client, entry, answer.pack(body))
        if answer.get(b"connection").lower() == b"close" or request.get(b"connection").lower() == b"close":
            raise Closed()
        return upstream

    def status(self, client, entry, spec):
        code = spec.get("status", 503)
        body = spec.get("body", "Service Unavailable").encode()
        head = [f"HTTP/1.1 {code} injected", f"Content-Length: {len(body)}"]
        head += [f"{key}: {value}" for key, value in spec.get("headers", {"Content-Type": "text/plain"}).items()]
        entry["status"] = code
        self.reply(client, entry, ("\r\n".join(head) + "\r\n\r\n").encode() + body)

    def flood(self, client, entry, spec):
        entry["status"] = 200
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n")
        left = spec.get("bytes", 1 << 30)
        block = b"<x>" + b"A" * 65530 + b"</x>"
        opening = b'<?xml version="1.0"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/">'
        client.sendall(b"%x\r\n" % len(opening) + opening + b"\r\n")
        while left > 0:
            client.sendall(b"%x\r\n" % len(block) + block + b"\r\n")
            entry["sent"] += len(block)
            left -= len(block)

    # Control

    def add_rule(self, spec: dict) -> int:
        with self.lock:
            self.rule_count += 1
            self.rules.append(Rule(self.rule_count, spec))
            return self.rule_count

    def clear_rules(self):
        with self.lock:
            self.rules = []
            waiting, self.released = self.released, threading.Event()
        waiting.set()

    def state(self) -> dict:
        with self.lock:
            return {"refuse": self.listener is None, "certificate": self.certificate, "upstream": self.upstream,
                    "open": len(self.open), "connections": self.connections}

    def change(self, want: dict):
        if "certificate" in want and want["certificate"] not in self.contexts:
            raise ValueError(f"no certificate is called {want['certificate']!r}")
        self.upstream = want.get("upstream", self.upstream)
        if "certificate" in want:
            self.certificate = want["certificate"]
            self.drop()
        if want.get("refuse") is True:
            self.refuse()
            self.drop()
        if want.get("refuse") is False and self.listener is None:
            self.listen()
        if want.get("drop"):
            self.drop()


def control_handler(proxy: Proxy):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def answer(self, value, code=200):
            data = json.dumps(value).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def body(self):
            return json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")

        def do_GET(self):
            if self.path == "/ledger":
                with proxy.lock:
                    entries = [dict(e) for e in proxy.ledger]
                self.answer(entries)
            elif self.path == "/rules":
                with proxy.lock:
                    self.answer([{**r.spec, "id": r.number, "hits": r.hits} for r in proxy.rules])
            else:
                self.answer(proxy.state())

        def do_POST(self):
            self.answer({"id": proxy.add_rule(self.body())}, 201)

        def do_PUT(self):
            try:
                proxy.change(self.body())
            except ValueError as error:
                self.answer({"error": str(error)}, 400)
                return
            self.answer(proxy.state())

        def do_DELETE(self):
            if self.path == "/ledger":
                with proxy.lock:
                    proxy.ledger = []
            else:
                proxy.clear_rules()
            self.answer(proxy.state())

    return Handler


def contexts_of(pairs):
    contexts = {}
    for pair in pairs:
        name, files = pair.split("=", 1)
        cert, key = files.split(",", 1)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        contexts[name] = context
    return contexts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--upstream", required=True, help="https://host:port of the provider")
    parser.add_argument("--cert", action="append", required=True, metavar="NAME=CERT,KEY")
    parser.add_argument("--port", type=int, default=0)
    args = parser.parse_args()

    proxy = Proxy(urlsplit(args.upstream).netloc, contexts_of(args.cert), args.port)
    control = ThreadingHTTPServer(("127.0.0.1", 0), control_handler(proxy))
    control.daemon_threads = True
    threading.Thread(target=control.serve_forever, daemon=True).start()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    signal.signal(signal.SIGINT, lambda *_: ended.set())
    print(json.dumps({"port": proxy.port, "control": f"http://127.0.0.1:{control.server_port}"}), flush=True)
    # The signal may reach another thread: only a main thread that wakes up by itself is sure to see it.
    while not ended.wait(0.2):
        pass
    # Threads that hold a connection on order would keep the process.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
