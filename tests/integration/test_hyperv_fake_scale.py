# SPDX-License-Identifier: Apache-2.0
"""The Hyper-V fake carries large estates in one process."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from support.hyperv import HypervFake
from support.process import rss_bytes
from support.wsman import WsMan

VSMS = "Msvm_VirtualSystemManagementService"


def summary(host, wanted):
    client = WsMan(host)
    answer = client.service(VSMS, "GetSummaryInformation", {"RequestedInformation": [0, 1, 4, 100, 101, 103, 105]})
    assert answer.returned == 0 and answer.text.count("<p:SummaryInformation ") == wanted
    client.http.close()


def test_eight_hosts_with_700_vms(tmp_path):
    with HypervFake(tmp_path, hosts=8, vms=700) as fake:
        for host, wanted in zip(fake.hosts, [88] * 4 + [87] * 4):
            summary(host, wanted)
        assert fake.control.counts()["by"] == {f"{VSMS}.GetSummaryInformation": 8}


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_a_thousand_hosts_with_25_vms_each(tmp_path):
    with HypervFake(tmp_path, hosts=1000, vms_per_host=25, start_timeout=240) as fake, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda host: summary(host, 25), fake.hosts))
        assert rss_bytes(fake.process.pid) < 2 << 30
