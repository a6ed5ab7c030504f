# SPDX-License-Identifier: Apache-2.0
"""Self-signed certificates as WinRM listeners have them, and TLS contexts made of them."""

import datetime
import hashlib
import ipaddress
import ssl
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


class Identity:
    """A certificate with its context and fingerprint."""

    def __init__(self, folder, name, addresses=(), days=(-1, 365), signed_with="sha256"):
        key = ec.generate_private_key(ec.SECP256R1())
        algorithm = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}[signed_with]
        now = datetime.datetime.now(datetime.timezone.utc)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = [x509.DNSName(name), x509.DNSName("localhost")]
        for address in addresses:
            try:
                names.append(x509.IPAddress(ipaddress.ip_address(address)))
            except ValueError:
                names.append(x509.DNSName(address))
        made = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
                .serial_number(x509.random_serial_number())
                .not_valid_before(now + datetime.timedelta(days=days[0]))
                .not_valid_after(now + datetime.timedelta(days=days[1]))
                .add_extension(x509.SubjectAlternativeName(names), critical=False)
                .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
                .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
                .sign(key, algorithm))
        self.pem = made.public_bytes(serialization.Encoding.PEM).decode()
        self.sha256 = hashlib.sha256(made.public_bytes(serialization.Encoding.DER)).hexdigest()
        # RFC 5929 4.1: what clients bind themselves to, by the hash that the certificate is signed with.
        self.binding = b"tls-server-end-point:" + hashlib.new(
            signed_with, made.public_bytes(serialization.Encoding.DER)).digest()
        path = Path(folder) / f"{self.sha256[:16]}.pem"
        path.touch(mode=0o600)
        path.write_bytes(self.pem.encode() + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        self.file = path

    def context(self, client_authorities=None):
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(self.file)
        made.binding = self.binding
        if client_authorities:
            # Asked for, not demanded: other ways of signing in stay open.
            made.load_verify_locations(cadata=client_authorities)
            made.verify_mode = ssl.CERT_OPTIONAL
        return made


def folder():
    return tempfile.TemporaryDirectory(prefix="hyperv-fake-")
