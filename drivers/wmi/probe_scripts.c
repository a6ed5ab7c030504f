/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/wmi/probe_scripts.h"

/* A literal: single quotes, doubled inside. */
static void quote(struct buf *out, const char *text)
{
    buf_char(out, '\'');
    for (; *text; text++) {
        if (*text == '\'')
            buf_char(out, '\'');
        /* Line ends would break out of the line, not of the literal; no name has them. */
        if ((unsigned char)*text >= ' ')
            buf_char(out, *text);
    }
    buf_char(out, '\'');
}

static void head(struct buf *out, const struct config *config, const char *what)
{
    buf_printf(out, "# On %s, in an elevated PowerShell: %s\n", config->at.host, what);
    buf_text(out, "$ErrorActionPreference = 'Stop'\n");
}

static void name(struct buf *out, const struct config *config)
{
    buf_text(out, "$name = ");
    quote(out, config->at.host);
    buf_char(out, '\n');
}

void script_https(struct buf *out, const struct config *config)
{
    unsigned port = config->at.plain ? 5986 : config->at.port;

    head(out, config, "switch WinRM over HTTPS on, with a certificate for this name.");
    name(out, config);
    buf_text(out, "Enable-PSRemoting -SkipNetworkProfileCheck -Force | Out-Null\n"
                  "$cert = Get-ChildItem Cert:\\LocalMachine\\My | Where-Object {\n"
                  "    $_.HasPrivateKey -and $_.NotAfter -gt (Get-Date).AddDays(30) -and\n"
                  "    ($_.DnsNameList.Unicode -contains $name) } | Select-Object -First 1\n"
                  "if (-not $cert) {\n"
                  "    $cert = New-SelfSignedCertificate -DnsName $name, $env:COMPUTERNAME `\n"
                  "        -CertStoreLocation Cert:\\LocalMachine\\My\n"
                  "}\n"
                  "Get-ChildItem WSMan:\\localhost\\Listener | Where-Object { $_.Keys -contains "
                  "'Transport=HTTPS' } |\n"
                  "    Remove-Item -Recurse -Force\n");
    buf_printf(out,
               "New-Item -Path WSMan:\\localhost\\Listener -Transport HTTPS -Address * -Port %u `\n"
               "    -CertificateThumbPrint $cert.Thumbprint -Force | Out-Null\n"
               "if (-not (Get-NetFirewallRule -Name 'WinRM-HTTPS-%u' -ErrorAction "
               "SilentlyContinue)) {\n"
               "    New-NetFirewallRule -Name 'WinRM-HTTPS-%u' -DisplayName 'WinRM over HTTPS' `\n"
               "        -Direction Inbound -Protocol TCP -LocalPort %u -Action Allow | Out-Null\n"
               "}\n",
               port, port, port, port);
    buf_text(out, "$sha = [Security.Cryptography.SHA256]::Create().ComputeHash($cert.RawData)\n"
                  "'Fingerprint to pin (SHA-256): ' + "
                  "[BitConverter]::ToString($sha).Replace('-', '').ToLower()\n");
}

void script_http(struct buf *out, const struct config *config)
{
    head(out, config, "switch WinRM on.");
    buf_text(out, "Enable-PSRemoting -SkipNetworkProfileCheck -Force\n");
}

void script_rights(struct buf *out, const struct config *config)
{
    head(out, config, "let the account manage Hyper-V from afar.");
    buf_text(out, "$user = ");
    quote(out, config->at.username);
    buf_text(out, "\n"
                  "# Hyper-V Administrators, Remote Management Users\n"
                  "foreach ($group in 'S-1-5-32-578', 'S-1-5-32-580') {\n"
                  "    try { Add-LocalGroupMember -SID $group -Member $user }\n"
                  "    catch [Microsoft.PowerShell.Commands.MemberExistsException] { }\n"
                  "}\n");
}

void script_role(struct buf *out, const struct config *config)
{
    head(out, config, "install Hyper-V. The host restarts.");
    buf_text(out, "Install-WindowsFeature -Name Hyper-V -IncludeManagementTools -Restart\n");
}

void script_service(struct buf *out, const struct config *config)
{
    head(out, config, "start Hyper-V's management service.");
    buf_text(out, "Set-Service -Name vmms -StartupType Automatic\n"
                  "Start-Service -Name vmms\n"
                  "Get-Service -Name vmms\n");
}

void script_quotas(struct buf *out, const struct config *config)
{
    head(out, config, "give WinRM its usual quotas.");
    buf_text(out, "Set-Item WSMan:\\localhost\\MaxEnvelopeSizekb 500\n"
                  "Set-Item WSMan:\\localhost\\Service\\MaxConcurrentOperationsPerUser 1500\n"
                  "Restart-Service -Name WinRM\n");
}
