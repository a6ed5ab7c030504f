# SPDX-License-Identifier: Apache-2.0
"""The control endpoint: JSON over plain HTTP on its own port. Faults, ledger, state, changes from outside."""

import asyncio
import json
from urllib.parse import parse_qs, unquote, urlsplit

from . import outside


class Bad(Exception):
    def __init__(self, text, status=400):
        super().__init__(text)
        self.status = status


class Control:
    def __init__(self, fake):
        self.fake = fake
        self.estate = fake.estate
        self.server = None
        self.url = None

    async def start(self, address, port):
        self.server = await asyncio.start_server(self._serve, address, port)
        self.url = f"http://{address}:{self.server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader, writer):
        try:
            while True:
                line = await reader.readline()
                if not line:
                    break
                verb, target, _ = line.decode("latin-1").split(" ", 2)
                length = 0
                while True:
                    header = await reader.readline()
                    if header in (b"\r\n", b""):
                        break
                    name, _, value = header.decode("latin-1").partition(":")
                    if name.lower() == "content-length":
                        length = int(value)
                body = await reader.readexactly(length) if length else b""
                status, answer = await self._answer(verb, target, body)
                data = json.dumps(answer).encode()
                writer.write(f"HTTP/1.1 {status} Answer\r\nContent-Type: application/json\r\n"
                             f"Content-Length: {len(data)}\r\n\r\n".encode() + data)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, ValueError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer(self, verb, target, body):
        parts = urlsplit(target)
        query = {k: v[-1] for k, v in parse_qs(parts.query).items()}
        words = [unquote(w) for w in parts.path.split("/") if w]
        try:
            data = json.loads(body) if body else {}
            answer = await self._route(verb, words, query, data)
            return 200, {"ok": True} if answer is None else answer
        except (Bad, outside.Bad) as error:
            return getattr(error, "status", 400), {"error": str(error)}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return 400, {"error": f"{type(error).__name__}: {error}"}

    def _host(self, name):
        host = self.estate.host(name)
        if host is None:
            raise Bad(f"there is no host {name}", 404)
        return host

    async def _route(self, verb, words, query, data):
        head = words[0] if words else ""
        if head == "faults":
            return self._faults(verb, words, data)
        if head == "ledger":
            return self._ledger(verb, query)
        if head == "effects" and verb == "GET":
            return [e for e in self.estate.ledger.effects if self._fits(e, query)]
        if head == "counts" and verb == "GET":
            return self._counts(query)
        if head == "errors" and verb == "GET":
            return self.estate.errors
        if head == "endpoints" and verb == "GET":
            return self.fake.shown()
        if head == "speed" and verb == "PUT":
            self.estate.speed = float(data["speed"])
            return None
        if head == "hosts":
            return await self._hosts(verb, words[1:], query, data)
        raise Bad(f"no such thing: {verb} /{'/'.join(words)}", 404)

    def _faults(self, verb, words, data):
        faults = self.estate.faults
        if verb == "POST":
            return {"id": faults.add(data).id}
        if verb == "GET":
            return [r.shown() for r in faults.rules]
        if verb == "DELETE":
            faults.clear(int(words[1]) if len(words) > 1 else None)
            return None
        raise Bad(verb, 405)

    @staticmethod
    def _fits(entry, query):
        if "after" in query and entry["number"] <= int(query["after"]):
            return False
        return all(str(entry.get(k)) == v for k, v in query.items() if k not in ("after", "limit"))

    def _ledger(self, verb, query):
        ledger = self.estate.ledger
        if verb == "DELETE":
            ledger.reset()
            return None
        rows = [e for e in ledger.requests if self._fits(e, query)]
        return rows[-int(query["limit"]):] if "limit" in query else rows

    def _counts(self, query):
        ledger = self.estate.ledger
        counts = ledger.counts
        if "host" in query:
            counts = ledger.host_counts.get(self._host(query["host"]).name, {})
        return {"total": sum(counts.values()), "by": dict(counts), "bytes_in": ledger.bytes_in,
                "bytes_out": ledger.bytes_out, "connections": dict(ledger.connections), "logons": dict(ledger.logons)}

    async def _hosts(self, verb, words, query, data):
        if not words:
            return self.fake.shown()["hosts"]
        host = self._host(words[0])
        rest = words[1:]
        if not rest:
            return outside.host_state(host, "whole" in query)
        if rest[0] == "down" and verb == "POST":
            await host.endpoint.stop()
            return None
        if rest[0] == "up" and verb == "POST":
            await host.endpoint.start()
            return None
        if rest[0] == "drop" and verb == "POST":
            host.endpoint.drop()
            return None
        if rest[0] == "reboot" and verb == "POST":
            host.endpoint.drop()
            outside.reboot(host)
            return None
        if rest[0] == "certificate" and verb == "POST":
            return await self._certificate(host, data)
        if rest[0] == "settings":
            return outside.settings(host, data if verb == "PUT" else None)
        if rest[0] == "cluster":  # {"classes" | "preferred" | "possible": {name of a VM: names}}
            for what, names in data.items():
                getattr(host.cluster, what).update(names)
            return {}
        return outside.route(self.estate, host, verb, rest, data)

    async def _certificate(self, host, data):
        """A new certificate; expired or for another name when asked. Trusted client certificates may be given."""
        from . import tls
        fake = self.fake
        days = (-400, -30) if data.get("expired") else (-1, 365)
        addresses = data.get("names", [fake.address, *fake.options.name])
        keep = host.name in fake.identities and data.get("keep")
        identity = fake.identities[host.name] if keep else tls.Identity(
            fake.folder.name, data.get("name", host.fqdn), addresses, days, data.get("signed_with", "sha256"))
        fake.identities[host.name] = identity
        clients = data.get("clients")
        if clients:
            import ssl
            host.limits.certificate = True
            host.certificate_users = [ssl.PEM_cert_to_DER_cert(pem) for pem in clients]
        port = host.endpoint.port
        await host.endpoint.stop()
        host.endpoint.context = identity.context("\n".join(clients) if clients else None)
        host.endpoint.port = port
        await host.endpoint.start()
        return {"cert_sha256": identity.sha256, "pem": identity.pem}
