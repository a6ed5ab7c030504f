# SPDX-License-Identifier: Apache-2.0
"""Receivers of what the server tells others, none of them ours: Python's http.server, aiosmtpd, socketserver."""

import asyncio
import email
import email.policy
import http.server
import json
import socketserver
import ssl
import threading

from aiosmtpd.smtp import SMTP, AuthResult


def tls_context(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.cert_file, certificate.key_file)
    return context


class HttpReceiver:
    """Keeps each request; `answers` are the statuses of the next ones, then 200. A number below 1 waits that long first."""

    def __init__(self, certificate=None, port=0):
        self.requests, self.answers = [], []
        self.gate = threading.Event()   # answers wait for it
        self.gate.set()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests.append({"path": self.path, "headers": dict(self.headers), "raw": body,
                                          "json": json.loads(body)})
                status = receiver.answers.pop(0) if receiver.answers else 200
                receiver.gate.wait(60)
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except OSError:
                    pass  # whoever asked has gone

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        if certificate:
            self.server.socket = tls_context(certificate).wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def stop(self):
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()


class MailReceiver:
    """An SMTP server; `refuse` maps an address to the answer that its RCPT gets."""

    def __init__(self, certificate=None, starttls=False, account=None):
        self.messages, self.envelopes, self.refuse, self.logins = [], [], {}, []
        receiver = self

        class Handler:
            async def handle_RCPT(self, _server, _session, envelope, address, _options):
                if address in receiver.refuse:
                    return receiver.refuse[address]
                envelope.rcpt_tos.append(address)
                return "250 OK"

            async def handle_DATA(self, _server, _session, envelope):
                receiver.envelopes.append((envelope.mail_from, list(envelope.rcpt_tos)))
                receiver.messages.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
                return "250 taken"

        def authenticate(_server, _session, _envelope, _mechanism, data):
            receiver.logins.append((data.login.decode(), data.password.decode()))
            return AuthResult(success=receiver.logins[-1] == account, handled=False)

        context = tls_context(certificate) if certificate else None

        def made():
            return SMTP(Handler(), tls_context=context if starttls else None, require_starttls=starttls,
                        authenticator=authenticate if account else None, auth_required=bool(account),
                        auth_require_tls=bool(starttls), hostname="mail.example.com", loop=self.loop)

        # Its own controller knows no port 0.
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        opening = self.loop.create_server(made, "127.0.0.1", 0, ssl=context if context and not starttls else None)
        self.server = asyncio.run_coroutine_threadsafe(opening, self.loop).result(60)
        self.port = self.server.sockets[0].getsockname()[1]

    def stop(self):
        async def close():
            self.server.close()
            self.loop.stop()

        asyncio.run_coroutine_threadsafe(close(), self.loop)
        self.thread.join(60)


class SyslogReceiver:
    """Keeps what arrives: whole datagrams, or what a connection sent."""

    def __init__(self, transport="tcp", certificate=None):
        self.received = []
        receiver = self

        class Stream(socketserver.BaseRequestHandler):
            def handle(self):
                data = b""
                try:
                    while part := self.request.recv(65536):
                        data += part
                except OSError:
                    pass
                receiver.received.append(data)

        class Datagram(socketserver.BaseRequestHandler):
            def handle(self):
                receiver.received.append(self.request[0])

        if transport == "udp":
            self.server = socketserver.ThreadingUDPServer(("127.0.0.1", 0), Datagram)
        else:
            self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Stream)
        self.server.daemon_threads = True
        if certificate:
            self.server.socket = tls_context(certificate).wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
