# SPDX-License-Identifier: Apache-2.0
"""A Kerberos realm of one's own: MIT's KDC without privileges, on a port of this machine, all its files in one folder.

    with Realm(tmp_path, accounts={"svc": "password"}, services=["HTTP/localhost"]) as realm:
        realm.env                 what clients need in their environment
        realm.keytab              keys of the services
        realm.ticket("svc")       a ticket in the client's cache
"""

import os
import shutil
import socket
import subprocess
from pathlib import Path

from . import paths
from .process import Process
from .wait import wait_for

HINT = "install the Debian packages of tests/debian-packages (krb5-kdc, krb5-admin-server, krb5-user)"


def _program(name):
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found is None:
        raise paths.Missing(f"'{name}' is missing: {HINT}")
    return found


def _free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Realm:
    def __init__(self, folder, name="POLYVISOR.TEST", accounts=None, services=()):
        self.folder, self.name = Path(folder), name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.keytab = self.folder / "services.keytab"
        self.accounts = accounts or {}
        self.port = _free_port()
        self.process = None
        self.conf = self.folder / "krb5.conf"
        self.configure()
        (self.folder / "kdc.conf").write_text(
            f"[kdcdefaults]\n kdc_listen = 127.0.0.1:{self.port}\n kdc_tcp_listen = 127.0.0.1:{self.port}\n"
            f"[realms]\n {name} = {{\n  database_name = {self.folder}/principal\n  key_stash_file = {self.folder}/stash\n"
            f"  acl_file = {self.folder}/kadm5.acl\n  max_life = 10h\n  supported_enctypes = aes256-cts:normal\n }}\n")
        self.env = {"KRB5_CONFIG": str(self.conf), "KRB5CCNAME": f"FILE:{self.folder}/tickets",
                    "KRB5_CLIENT_KTNAME": f"FILE:{self.folder}/client.keytab", "KRB5RCACHENAME": "none:"}
        self._run("kdb5_util", "create", "-s", "-r", name, "-P", "master")
        for account, password in self.accounts.items():
            self.admin(f"addprinc +requires_preauth -pw {password} {account}")
        for service in services:
            self.admin(f"addprinc -randkey {service}")
            self.admin(f"ktadd -k {self.keytab} {service}")
        self.start()

    def configure(self, port=None, more=""):
        """krb5.conf of clients; another port is one where nobody answers."""
        self.conf.write_text(
            f"[libdefaults]\n default_realm = {self.name}\n dns_lookup_kdc = false\n dns_lookup_realm = false\n"
            f" dns_canonicalize_hostname = false\n rdns = false\n udp_preference_limit = 1\n"
            f" default_ccache_name = FILE:{self.folder}/tickets\n{more}"
            f"[realms]\n {self.name} = {{\n  kdc = 127.0.0.1:{port or self.port}\n }}\n"
            f"[domain_realm]\n localhost = {self.name}\n")

    def _run(self, program, *arguments, stdin=None):
        done = subprocess.run([_program(program), *arguments], capture_output=True, text=True, input=stdin, timeout=120,
                              env={**os.environ, **self.env, "KRB5_KDC_PROFILE": str(self.folder / "kdc.conf")})
        assert done.returncode == 0, f"{program} {arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def admin(self, command):
        return self._run("kadmin.local", "-r", self.name, "-q", command)

    def start(self):
        self.process = Process([_program("krb5kdc"), "-n", "-r", self.name, "-P", self.folder / "kdc.pid"],
                               self.folder / "kdc.log",
                               env={**os.environ, **self.env, "KRB5_KDC_PROFILE": str(self.folder / "kdc.conf")})
        wait_for(self._answers, "the KDC should listen", 60)

    def _answers(self):
        assert self.process.alive(), (self.folder / "kdc.log").read_text()
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def ticket(self, account):
        self._run("kinit", account, stdin=self.accounts[account] + "\n")

    def no_tickets(self):
        for name in ("tickets", "client.keytab"):
            (self.folder / name).unlink(missing_ok=True)

    def client_keytab(self, account):
        """The account's keys for a client; its password stays what it is."""
        self.admin(f"ktadd -norandkey -k {self.folder}/client.keytab {account}")

    def stop(self):
        if self.process is not None:
            process, self.process = self.process, None
            process.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
