# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the integration suite: servers, simulated vCenters, a second client, the fault proxy.

A peer that is missing fails the test with the way to get it; nothing is skipped because of the machine.
"""

import pytest

from support import server as server_module
from support.faultproxy import FaultProxy
from support.hyperv_api import Estate
from support.server import Server
from support.vcsim import Vcsim
from support.vsphere import SecondClient
from support.wait import wait_for

# What takes longest begins, so that no worker is left with it at the end (tests/run, --dist loadfile). Minutes first.
LONG = ("test_thousand_vms_with_changes", "test_hyperv_operations_faults", "test_hyperv_inventory_changes",
        "test_hyperv_operations", "test_503_and_cuts", "test_kill9_power_tasks", "test_operations_tasks", "test_slow_calls",
        "test_hyperv_cuts", "test_hyperv_every_write", "test_demo", "test_bulk", "test_vapi_kill9", "test_cli_output", "test_cli_verbs")


def pytest_addoption(parser):
    parser.addoption("--nightly", action="store_true", help="also run what takes minutes")


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--nightly"):
        chosen = [item for item in items if item.get_closest_marker("nightly") is None]
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen
    place = {name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONG)))


@pytest.fixture(autouse=True)
def answers_fit_the_api_description():
    """Every answer that a test saw is held against openapi.json."""
    before = server_module.contract()
    seen = len(before.violations) if before else 0
    yield
    contract = server_module.contract()
    if contract is not None:
        new = sorted(set(contract.violations[seen:]))
        assert not new, "answers do not fit the API description:\n" + "\n".join(new[:20])


class Servers:
    """Makes servers and ends them all; a sanitizer report or an unclean end fails the test (or module)."""

    def __init__(self, folder):
        self.folder = folder
        self.all = []

    def __call__(self, name: str = "server", **more) -> Server:
        self.all.append(Server(self.folder / f"{name}{len(self.all)}", **more))
        return self.all[-1]

    def close(self):
        trouble = []
        for server in self.all:
            try:
                code = server.stop()
            except AssertionError as error:
                trouble.append(str(error))
                code = 0
            if code != 0:
                trouble.append(f"the server ended with exit code {code}\n{server.log()}")
            trouble += server.sanitizer_reports()
        assert not trouble, "\n".join(trouble)


class Vcenters:
    def __init__(self, folder):
        self.folder = folder
        self.all = []

    def __call__(self, **flags) -> Vcsim:
        self.all.append(Vcsim(self.folder / f"vcsim{len(self.all)}", **flags))
        return self.all[-1]

    def close(self):
        for vcenter in self.all:
            vcenter.stop()


def _closing(factory, folder):
    made = factory(folder)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def servers(tmp_path):
    """servers() starts a fresh server; ended after the test."""
    yield from _closing(Servers, tmp_path)


@pytest.fixture
def vcenters(tmp_path):
    """vcenters(vm=5) starts a fresh simulated vCenter; ended after the test."""
    yield from _closing(Vcenters, tmp_path)


@pytest.fixture(scope="module")
def module_servers(tmp_path_factory):
    yield from _closing(Servers, tmp_path_factory.mktemp("servers"))


@pytest.fixture(scope="module")
def module_vcenters(tmp_path_factory):
    yield from _closing(Vcenters, tmp_path_factory.mktemp("vcenters"))


class HypervHosts:
    """Makes estates of simulated Hyper-V hosts, and ends them; the fake itself must not have failed."""

    def __init__(self, module_servers, tmp_path_factory):
        self.module_servers, self.tmp_path_factory = module_servers, tmp_path_factory
        self.all = []

    def __call__(self, name, tasks=None, **more) -> Estate:
        """`tasks`: how many operations a host is given at a time."""
        more = {"speed": 50, **more}
        add = more.pop("add", True)
        estate = Estate(self.module_servers(name), self.tmp_path_factory.mktemp(name), add=False, **more)
        self.all.append(estate)
        for host in estate.fake.hosts if add else ():
            estate.add(host, **({"limits": {"max_concurrent_tasks": tasks}} if tasks else {}))
        return estate

    def close(self):
        for estate in self.all:
            errors = estate.control.errors()
            estate.close()
            assert not errors, errors


@pytest.fixture(scope="module")
def hyperv_hosts(module_servers, tmp_path_factory):
    """hyperv_hosts("name", vms=4, settings={...}) is a server with hosts of the fake."""
    made = HypervHosts(module_servers, tmp_path_factory)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def without_faults(hv):
    """The ledger begins with the test, and its faults end with it. `hv` is the module's own estate."""
    hv.control.reset()
    yield
    hv.control.no_faults()
    assert not hv.leftovers()


@pytest.fixture(scope="module")
def host_id(hv):
    """Of the first host of the module's own estate."""
    return hv.api.one("hosts", hv.host.name)["id"]


@pytest.fixture
def second(request):
    """second(vcsim) is a pyvmomi login of its own."""
    opened = []

    def open_client(vcsim):
        opened.append(SecondClient(vcsim.url, vcsim.username, vcsim.password))
        return opened[-1]

    yield open_client
    for client in opened:
        client.close()


@pytest.fixture(scope="module")
def api(module_servers, vcenter):
    """Of a server that knows the vCenter of the module, a fixture named vcenter there."""
    api = module_servers().admin()
    api.wait_provider(api.add_provider("vc", vcenter.url)["id"])
    return api


@pytest.fixture
def other(second, vcenter):
    """Somebody else at that vCenter."""
    return second(vcenter)


@pytest.fixture
def proxies(tmp_path):
    """proxies(vcsim) puts a fault proxy in front of it."""
    opened = []

    def open_proxy(vcsim, **more):
        opened.append(FaultProxy(tmp_path / f"proxy{len(opened)}", vcsim.url, **more))
        return opened[-1]

    yield open_proxy
    for proxy in opened:
        proxy.stop()


@pytest.fixture(scope="session")
def demo_server(tmp_path_factory):
    """One server with the demonstration estate for everything that only reads."""
    made = Servers(tmp_path_factory.mktemp("demo"))
    server = made("demo", demo=True)
    api = server.admin()
    wait_for(lambda: api.count("vms") >= 500, "the demonstration estate should have 500 VMs", 120)
    try:
        yield server
    finally:
        made.close()


@pytest.fixture
def demo(demo_server):
    return demo_server.admin()
