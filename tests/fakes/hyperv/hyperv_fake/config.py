# SPDX-License-Identifier: Apache-2.0
"""winrm/config: the quotas of the service, readable by administrators."""

from . import wire
from .reported import refusal
from .wire import Fault, X


def act(request):
    if request.action != X + "/Get":
        raise Fault("a:ActionNotSupported", "ERROR_WSMAN_ACTION_NOT_SUPPORTED", "The configuration can only be read here.")
    host = request.host
    if host.report is not None and host.report.quotas_error:
        raise refusal(host.report.quotas_error)
    limits = host.limits

    def flag(value):
        return "true" if value else "false"

    service = (
        "<cfg:Service><cfg:RootSDDL>O:NSG:BAD:P(A;;GA;;;BA)(A;;GR;;;IU)S:P(AU;FA;GA;;;WD)(AU;SA;GXGW;;;WD)</cfg:RootSDDL>"
        "<cfg:MaxConcurrentOperations>4294967295</cfg:MaxConcurrentOperations>"
        f"<cfg:MaxConcurrentOperationsPerUser>{limits.operations_per_user}</cfg:MaxConcurrentOperationsPerUser>"
        f"<cfg:EnumerationTimeoutms>{limits.enumeration_ms}</cfg:EnumerationTimeoutms>"
        f"<cfg:MaxConnections>{limits.connections}</cfg:MaxConnections>"
        "<cfg:MaxPacketRetrievalTimeSeconds>120</cfg:MaxPacketRetrievalTimeSeconds>"
        f"<cfg:AllowUnencrypted>{flag(limits.allow_unencrypted)}</cfg:AllowUnencrypted><cfg:Auth>"
        f"<cfg:Basic>{flag(limits.basic)}</cfg:Basic><cfg:Kerberos>{flag(limits.kerberos)}</cfg:Kerberos>"
        f"<cfg:Negotiate>{flag(limits.negotiate)}</cfg:Negotiate><cfg:Certificate>{flag(limits.certificate)}</cfg:Certificate>"
        f"<cfg:CredSSP>false</cfg:CredSSP><cfg:CbtHardeningLevel>{limits.cbt}</cfg:CbtHardeningLevel></cfg:Auth>"
        "<cfg:DefaultPorts><cfg:HTTP>5985</cfg:HTTP><cfg:HTTPS>5986</cfg:HTTPS></cfg:DefaultPorts>"
        "<cfg:IPv4Filter>*</cfg:IPv4Filter><cfg:IPv6Filter>*</cfg:IPv6Filter>"
        "<cfg:EnableCompatibilityHttpListener>false</cfg:EnableCompatibilityHttpListener>"
        "<cfg:EnableCompatibilityHttpsListener>false</cfg:EnableCompatibilityHttpsListener>"
        "<cfg:CertificateThumbprint></cfg:CertificateThumbprint><cfg:AllowRemoteAccess>true</cfg:AllowRemoteAccess>"
        "</cfg:Service>")
    shells = (
        "<cfg:Winrs><cfg:AllowRemoteShellAccess>true</cfg:AllowRemoteShellAccess><cfg:IdleTimeout>7200000</cfg:IdleTimeout>"
        "<cfg:MaxConcurrentUsers>10</cfg:MaxConcurrentUsers><cfg:MaxShellRunTime>2147483647</cfg:MaxShellRunTime>"
        "<cfg:MaxProcessesPerShell>25</cfg:MaxProcessesPerShell><cfg:MaxMemoryPerShellMB>1024</cfg:MaxMemoryPerShellMB>"
        f"<cfg:MaxShellsPerUser>{limits.shells_per_user}</cfg:MaxShellsPerUser></cfg:Winrs>")
    part = request.uri[len(wire.CFG):].strip("/").lower()
    if part == "service":
        return service.replace("<cfg:Service>", f'<cfg:Service xmlns:cfg="{wire.CFG}/service">', 1)
    if part == "winrs":
        return shells.replace("<cfg:Winrs>", f'<cfg:Winrs xmlns:cfg="{wire.CFG}/winrs">', 1)
    if part:
        raise Fault("a:DestinationUnreachable", "ERROR_WSMAN_RESOURCE_NOT_FOUND", f"There is no configuration {part}.")
    return (f'<cfg:Config xmlns:cfg="{wire.CFG}"><cfg:MaxEnvelopeSizekb>{limits.envelope_kb}</cfg:MaxEnvelopeSizekb>'
            f"<cfg:MaxTimeoutms>{limits.timeout_ms}</cfg:MaxTimeoutms><cfg:MaxBatchItems>{limits.batch_items}"
            "</cfg:MaxBatchItems><cfg:MaxProviderRequests>4294967295</cfg:MaxProviderRequests>"
            f"{service}{shells}</cfg:Config>")
