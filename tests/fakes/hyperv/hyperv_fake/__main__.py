# SPDX-License-Identifier: Apache-2.0
"""python3 -m hyperv_fake --hosts 8 --vms 700 --listen 127.0.0.1:0

Prints one line of JSON with the endpoints, then serves until it is ended.
"""

import argparse
import asyncio
import json
import os
import resource
import signal
import sys

try:
    from . import tls
except ModuleNotFoundError as missing:
    sys.exit(f"hyperv_fake: the Python package '{missing.name}' is missing: pip install cryptography "
             "(tests/tools/venv makes an environment that has it)")
from .control import Control
from .estate import Estate
from .httpd import Endpoint
from .replay import Player, Recorder
from .seed import BUILDS

SHARED_FROM = 65  # from this number of hosts on, all show the same certificate


def arguments(argv):
    parser = argparse.ArgumentParser(prog="hyperv_fake", description="A strict, stateful Hyper-V over WS-Management.")
    parser.add_argument("--hosts", type=int, help="simulated hosts (1, or none when there are reports)")
    parser.add_argument("--vms", type=int, default=10, help="VMs altogether, spread over the hosts")
    parser.add_argument("--vms-per-host", type=int, help="VMs of each host (instead of --vms)")
    parser.add_argument("--listen", default="127.0.0.1:0", help="address:port; with port 0 the system chooses")
    parser.add_argument("--http", action="store_true", help="plain HTTP listeners instead of HTTPS")
    parser.add_argument("--one-port", action="store_true", help="all hosts behind one port, path /NAME/wsman")
    parser.add_argument("--cluster", type=int, default=0, help="a failover cluster of the first N hosts")
    parser.add_argument("--control", default="127.0.0.1:0", help="where the control endpoint listens")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--build", choices=sorted(BUILDS), default="2022")
    parser.add_argument("--user", default="Administrator")
    parser.add_argument("--password", default="Passw0rd!")
    parser.add_argument("--domain", default="WORKGROUP")
    parser.add_argument("--prefix", default="HV", help="names of hosts: HV01, HV02, …")
    parser.add_argument("--locale", choices=("en-US", "de-DE", "ja-JP"), default="en-US")
    parser.add_argument("--speed", type=float, default=1.0, help="divides the durations of jobs")
    parser.add_argument("--record", metavar="FILE", help="write every request and its answer to this transcript")
    parser.add_argument("--replay", metavar="FILE", help="answer out of this transcript instead of the simulation")
    parser.add_argument("--replay-report", metavar="FILE", action="append", default=[],
                        help="a read-only host out of a report of polyvisor-driverhost --probe wmi; may be given several times")
    parser.add_argument("--keytab", metavar="FILE", help="accept Kerberos with these keys (needs MIT's GSS-API library)")
    parser.add_argument("--name", action="append", default=[], help="names in the certificates beside the host's")
    options = parser.parse_args(argv)
    if options.hosts is None:
        options.hosts = 0 if options.replay_report else 1
    return options


def split(text):
    address, _, port = text.rpartition(":")
    return address.strip("[]") or "127.0.0.1", int(port)


class Fake:
    """Everything that runs."""

    def __init__(self, options):
        self.options = options
        self.estate = Estate(options.seed, options.build, options.user, options.password, options.domain, options.prefix,
                             options.speed)
        if options.record:
            self.estate.recorder = Recorder(options.record)
        if options.replay:
            self.estate.player = Player(options.replay)
        self.folder = tls.folder()
        self.endpoints = []
        self.identities = {}
        self.shared = None
        self.address, self.port = split(options.listen)

    async def start(self):
        options, estate = self.options, self.estate
        estate.loop = asyncio.get_running_loop()
        share, rest = divmod(options.vms, max(1, options.hosts))
        each = options.vms_per_host
        estate.fill(options.hosts, lambda index: each if each is not None else share + (index < rest))
        if options.keytab:
            from . import kerberos
            kerberos.use_keytab(options.keytab)
            for host in estate.hosts:
                host.limits.kerberos = True
        if options.cluster:
            from .clusterdata import form
            form(estate, estate.hosts[:options.cluster])
        for host in estate.hosts:
            host.language = options.locale
        for path in options.replay_report:
            made = estate.replay(path)
            if made.shortened:
                print(f"{path} does not have all instances of {', '.join(made.shortened)}: ask for more --samples",
                      file=sys.stderr, flush=True)
        if options.one_port:
            first = estate.hosts[0]
            endpoint = Endpoint(first, self.address, self.port, self.context(first),
                                {h.name.lower(): h for h in estate.hosts})
            await endpoint.start()
            self.endpoints.append(endpoint)
            for host in estate.hosts:
                host.endpoint = endpoint
        else:
            for number, host in enumerate(estate.hosts):
                host.endpoint = Endpoint(host, self.address, self.port + number if self.port else 0, self.context(host))
                await host.endpoint.start()
                self.endpoints.append(host.endpoint)
        self.control = Control(self)
        await self.control.start(*split(options.control))

    def identity(self, host):
        if len(self.estate.hosts) >= SHARED_FROM or self.options.one_port:
            if self.shared is None:
                self.shared = tls.Identity(self.folder.name, host.fqdn, [self.address, *self.options.name])
                self.shared_context = self.shared.context()
            return self.shared
        if host.name not in self.identities:
            self.identities[host.name] = tls.Identity(self.folder.name, host.fqdn, [self.address, *self.options.name])
        return self.identities[host.name]

    def context(self, host):
        if self.options.http:
            return None
        identity = self.identity(host)
        return self.shared_context if identity is self.shared else identity.context()

    def url(self, host):
        if self.options.one_port:
            return host.endpoint.url.replace("/wsman", f"/{host.name}/wsman")
        return host.endpoint.url

    def shown(self):
        rows = []
        for host in self.estate.hosts:
            row = {"name": host.name, "fqdn": host.fqdn, "url": self.url(host), "port": host.endpoint.port,
                   "user": host.user, "password": host.password, "vms": host.vm_count, "uuid": host.uuid}
            if not self.options.http:
                row["cert_sha256"] = self.identity(host).sha256
            rows.append(row)
        return {"control": self.control.url, "user": self.options.user, "password": self.options.password, "hosts": rows}

    async def stop(self):
        for endpoint in self.endpoints:
            await endpoint.stop()
        self.folder.cleanup()


async def main(options):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    fake = Fake(options)
    await fake.start()
    print(json.dumps(fake.shown()), flush=True)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await ended.wait()
    await fake.stop()


if __name__ == "__main__":
    asyncio.run(main(arguments(sys.argv[1:])))
    sys.stdout.flush()
    os._exit(0)
