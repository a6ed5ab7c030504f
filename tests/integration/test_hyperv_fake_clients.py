# SPDX-License-Identifier: Apache-2.0
"""The Hyper-V fake against clients that other people wrote: pywinrm, pypsrp, and winrm in Go."""

import warnings
from xml.etree import ElementTree

import pytest
import winrm
from pypsrp.exceptions import AuthenticationError, WSManFaultError
from pypsrp.shell import Process, SignalCode, WinRS
from pypsrp.wsman import SelectorSet, WSMan
from winrm.exceptions import InvalidCredentialsError
from winrm.protocol import Protocol

from support.hyperv import HypervFake, run_go_client
from support.wsman import CIMV2, N, V2, W

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def fakes(tmp_path_factory):
    """The same hosts over https and over http."""
    with HypervFake(tmp_path_factory.mktemp("https"), hosts=1, vms=12, speed=20) as secure, \
            HypervFake(tmp_path_factory.mktemp("http"), hosts=1, vms=12, speed=20, http=True) as plain:
        yield {"https": secure, "http": plain}


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    # The clients take proxies and authorities from the environment; the peers here are on this machine.
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def pywinrm(fake, transport, **more):
    host = fake.hosts[0]
    return Protocol(endpoint=host.url, transport=transport, username=host.user, password=host.password,
                    server_cert_validation="ignore", **more)


def pypsrp(fake, **more):
    host = fake.hosts[0]
    return WSMan("127.0.0.1", port=host.port, path="wsman", username=host.user, password=host.password,
                 cert_validation=False, no_proxy=True, **{"ssl": host.url.startswith("https"), **more})


def enumerate_all():
    body = ElementTree.Element(f"{{{N}}}Enumerate")
    ElementTree.SubElement(body, f"{{{W}}}OptimizeEnumeration")
    ElementTree.SubElement(body, f"{{{W}}}MaxElements").text = "100"
    return body


def shell_output(protocol, command, *arguments):
    shell = protocol.open_shell()
    ident = protocol.run_command(shell, command, arguments)
    out, err, code = protocol.get_command_output(shell, ident)
    protocol.cleanup_command(shell, ident)
    protocol.close_shell(shell)
    return out.decode().strip(), err.decode().strip(), code


@pytest.mark.parametrize("scheme, transport, encryption", [
    ("https", "basic", "auto"), ("https", "ntlm", "auto"), ("http", "ntlm", "always")])
def test_pywinrm_runs_commands(fakes, scheme, transport, encryption):
    fake = fakes[scheme]
    protocol = pywinrm(fake, transport, message_encryption=encryption)
    assert shell_output(protocol, "hostname") == (fake.hosts[0].name, "", 0)
    assert shell_output(protocol, "echo", "hello", "there")[0] == "hello there"
    out, err, code = shell_output(protocol, "no-such-program")
    assert code == 1 and "is not recognized" in err
    assert fake.hosts[0].state()["shells"] == 0


def test_pywinrm_runs_powershell(fakes):
    host = fakes["https"].hosts[0]
    session = winrm.Session(host.url, auth=(host.user, host.password), transport="ntlm", server_cert_validation="ignore")
    answer = session.run_ps("Write-Output 'well'")
    assert (answer.status_code, answer.std_out.strip()) == (0, b"well")


def test_pywinrm_is_refused_with_a_wrong_password(fakes):
    host = fakes["https"].hosts[0]
    protocol = Protocol(endpoint=host.url, transport="ntlm", username=host.user, password="wrong",
                        server_cert_validation="ignore")
    with pytest.raises(InvalidCredentialsError):
        protocol.open_shell()


def test_unencrypted_messages_over_http_are_refused_even_with_the_right_password(fakes):
    protocol = pywinrm(fakes["http"], "ntlm", message_encryption="never")
    with pytest.raises(InvalidCredentialsError):
        protocol.open_shell()


def test_a_long_command_is_waited_for_beyond_the_operation_timeout(fakes):
    host = fakes["https"].hosts[0]
    host.command("slow", stdout="done\r\n", seconds=40)  # 2 s at this speed
    protocol = pywinrm(fakes["https"], "basic", operation_timeout_sec=1, read_timeout_sec=10)
    assert shell_output(protocol, "slow") == ("done", "", 0)


@pytest.mark.parametrize("options", [
    {"auth": "basic"}, {"auth": "negotiate"}, {"auth": "ntlm"}, {"auth": "ntlm", "ssl": False, "encryption": "always"},
    {"auth": "negotiate", "ssl": False, "encryption": "always"}], ids=str)
def test_pypsrp_runs_processes(fakes, options):
    fake = fakes["http" if options.get("ssl") is False else "https"]
    with pypsrp(fake, **options) as wsman, WinRS(wsman) as shell:
        process = Process(shell, "hostname")
        process.invoke()
        process.signal(SignalCode.CTRL_C)
        assert (process.stdout.decode().strip(), process.rc) == (fake.hosts[0].name, 0)


def test_pypsrp_is_refused_with_a_wrong_password(fakes):
    host = fakes["https"].hosts[0]
    wsman = WSMan("127.0.0.1", port=host.port, username=host.user, password="wrong", cert_validation=False, auth="ntlm",
                  no_proxy=True)
    with pytest.raises(AuthenticationError):
        WinRS(wsman).open()


def test_pypsrp_reads_the_quotas(fakes):
    wsman = pypsrp(fakes["https"], auth="basic")
    wsman.update_max_payload_size()
    assert wsman.max_envelope_size == 500 * 1024


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_pypsrp_enumerates_gets_and_invokes(fakes, scheme):
    fake = fakes[scheme]
    wsman = pypsrp(fake, auth="ntlm", encryption="always" if scheme == "http" else "auto")
    answer = wsman.enumerate(V2 + "Msvm_ComputerSystem", enumerate_all())
    names = {e.text for e in answer.iter(f"{{{V2}Msvm_ComputerSystem}}Name")}
    assert len(names) == 13
    vm = next(v for v in fake.hosts[0].vms() if v.state == "off")
    selectors = SelectorSet()
    selectors.add_option("CreationClassName", "Msvm_ComputerSystem")
    selectors.add_option("Name", vm.id)
    got = wsman.get(V2 + "Msvm_ComputerSystem", selector_set=selectors)
    assert got.find(f".//{{{V2}Msvm_ComputerSystem}}ElementName").text == vm.name
    request = ElementTree.Element(f"{{{V2}Msvm_ComputerSystem}}RequestStateChange_INPUT")
    ElementTree.SubElement(request, f"{{{V2}Msvm_ComputerSystem}}RequestedState").text = "2"
    started = wsman.invoke(V2 + "Msvm_ComputerSystem/RequestStateChange", V2 + "Msvm_ComputerSystem", request,
                           selector_set=selectors)
    assert started.find(f".//{{{V2}Msvm_ComputerSystem}}ReturnValue").text == "4096"
    assert wsman.get(CIMV2 + "Win32_OperatingSystem").find(f".//{{{CIMV2}Win32_OperatingSystem}}Version") is not None


def test_pypsrp_writes_what_may_be_written(fakes):
    fake = fakes["https"]
    wsman, uri = pypsrp(fake, auth="ntlm"), CIMV2 + "Win32_Volume"
    answer = wsman.enumerate(uri, enumerate_all())
    volume = next(v for v in answer.iter(f"{{{uri}}}Win32_Volume") if v.find(f"{{{uri}}}DriveLetter").text == "C:")
    selectors = SelectorSet()
    selectors.add_option("DeviceID", volume.find(f"{{{uri}}}DeviceID").text)
    volume.find(f"{{{uri}}}Label").text = "System disk"
    wsman.put(uri, volume, selector_set=selectors)
    assert wsman.get(uri, selector_set=selectors).find(f".//{{{uri}}}Label").text == "System disk"
    assert [e["label"] for e in fake.control.effects() if e["what"] == "label"] == ["System disk"]
    volume.find(f"{{{uri}}}Capacity").text = "1"
    with pytest.raises(WSManFaultError) as refused:
        wsman.put(uri, volume, selector_set=selectors)
    assert "read-only" in str(refused.value)


def test_faults_are_those_that_pypsrp_recorded_on_windows(fakes):
    """Codes and subcodes out of recordings of real hosts: wrong command, wrong shell, missing program, bad time limit."""
    wsman = pypsrp(fakes["https"], auth="basic")
    with WinRS(wsman) as shell:
        process = Process(shell, "cmd", ["/c", "echo", "hi"])
        process.begin_invoke()
        process.id = "87E77BEB-6761-4C48-9D70-A00266B8459A"
        with pytest.raises(WSManFaultError) as caught:
            process.poll_invoke()
        assert caught.value.code == 2150858843 and "command identifier" in caught.value.message
        with pytest.raises(WSManFaultError) as caught:
            Process(shell, "missing.exe", no_shell=True).invoke()
        assert caught.value.code == 2147942402
        assert caught.value.provider and "cannot find the file" in caught.value.provider_fault
    with pytest.raises(WSManFaultError) as caught:
        wsman.get(CIMV2 + "Win32_OperatingSystem", timeout=-1)
    assert caught.value.code == 2150858767
    with pytest.raises(WSManFaultError) as caught:
        wsman.get("http://schemas.microsoft.com/wbem/wsman/1/unknown")
    assert caught.value.code == 2150858752


def test_text_of_any_language_passes_the_shell(fakes):
    host = fakes["https"].hosts[0]
    host.command("café", stdout="こんにちは – ümlaut\r\n")
    with pypsrp(fakes["https"], auth="basic") as wsman, WinRS(wsman, codepage=65001) as shell:
        process = Process(shell, "café")
        process.invoke()
        assert process.stdout.decode().strip() == "こんにちは – ümlaut"


def test_input_goes_to_a_process_that_reads_it(fakes):
    protocol = pywinrm(fakes["https"], "basic")
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "sort", console_mode_stdin=True, skip_cmd_shell=False)
    protocol.send_command_input(shell, command, "b\r\na\r\n", end=True)
    out, _, code = protocol.get_command_output(shell, command)
    assert (out.split(), code) == ([b"a", b"b"], 0)
    protocol.close_shell(shell)


def test_more_shells_than_the_quota_are_refused(fakes):
    host = fakes["https"].hosts[0]
    host.settings(shells_per_user=1)
    wsman = pypsrp(fakes["https"], auth="basic")
    try:
        with WinRS(wsman), pytest.raises(WSManFaultError) as caught:
            WinRS(wsman).open()
        assert caught.value.code == 0x803381E4
    finally:
        host.settings(shells_per_user=30)


@pytest.mark.parametrize("auth", ["basic", "ntlm"])
def test_the_go_client_runs_commands(fakes, auth):
    host = fakes["https"].hosts[0]
    assert run_go_client(host, "-auth", auth, "hostname") == {"stdout": host.name + "\r\n", "stderr": "", "code": 0}
    assert run_go_client(host, "-auth", auth, "-powershell", "Write-Output 'go'")["stdout"] == "go\r\n"
    assert "401" in run_go_client(host, "-auth", auth, "hostname", password="wrong")["error"]
