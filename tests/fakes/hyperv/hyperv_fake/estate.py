# SPDX-License-Identifier: Apache-2.0
"""The whole: hosts, clock, jobs, faults and ledger in one event loop."""

import sys
import traceback

from . import events, seed, sources
from .faults import Faults
from .jobs import Jobs
from .ledger import Ledger
from .reported import ReportHost


class Estate:
    def __init__(self, seed_number=1, build="2022", user="Administrator", password="Passw0rd!", domain="WORKGROUP",
                 prefix="HV", speed=1.0):
        self.seed = seed_number
        self.build = seed.BUILDS[build]
        self.user = user
        self.password = password
        self.domain = domain
        self.prefix = prefix
        self.speed = speed
        self.memory_overcommit = 1.0
        self.hosts = []
        self.by_name = {}
        self.clusters = []
        self.ledger = Ledger()
        self.faults = Faults()
        self.jobs = Jobs(self)
        self.loop = None
        self.recorder = None
        self.player = None
        self.errors = []

    def broken(self, error):
        """An error of the fake itself: shown on standard error and in the control's state."""
        text = "".join(traceback.format_exception(error))
        self.errors.append(text)
        print(text, file=sys.stderr, flush=True)

    def later(self, seconds, call, *args):
        return self.loop.call_later(max(0.0, seconds), call, *args)

    def fill(self, hosts, vms_of):
        """hosts with vms_of(index) VMs each."""
        for index in range(hosts):
            made = seed.host(self, index)
            self.hosts.append(made)
            self.by_name[made.name.lower()] = made
            for number in range(vms_of(index)):
                seed.vm(made, number)
            while sum(v.of("memory")[0].get("VirtualQuantity") for v in made.vms.values()) << 20 > made.memory * 3 // 4:
                made.memory *= 2
            made.cpus = max(32, made.memory >> 33)

    def replay(self, path):
        """A read-only host out of a report."""
        made = ReportHost(self, len(self.hosts), path)
        self.hosts.append(made)
        self.by_name[made.name.lower()] = made
        return made

    def host(self, name):
        """By name, full name, address with port or number."""
        text = str(name).lower()
        if text in self.by_name:
            return self.by_name[text]
        if text.isdigit() and int(text) < len(self.hosts):
            return self.hosts[int(text)]
        for made in self.hosts:
            if made.fqdn.lower() == text or made.endpoint is not None and text in (
                    f"{made.endpoint.address}:{made.endpoint.port}", made.endpoint.url):
                return made
        return None

    # Changes are told to event subscriptions; nobody listening costs nothing.

    def tell(self, host, what, make, previous=None):
        if host.subscriptions:
            events.tell(host, what, make(), previous)

    def log_event(self, host, row):
        if host.subscriptions:
            events.tell_log(host, row)

    def before(self, vm):
        return sources.computer_system(vm) if vm.host.subscriptions else None

    def changed(self, vm, previous):
        self.tell(vm.host, "modified", lambda: sources.computer_system(vm), previous)

    def appeared(self, vm):
        self.tell(vm.host, "created", lambda: sources.computer_system(vm))

    def gone(self, vm):
        self.tell(vm.host, "deleted", lambda: sources.computer_system(vm))
