# SPDX-License-Identifier: Apache-2.0
"""Certificates for peers: self-signed ones, a small authority, and wrong ones (name, date)."""

import datetime
import hashlib
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternatives(hosts):
    names = []
    for host in hosts:
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
    return x509.SubjectAlternativeName(names)


class Certificate:
    """A key pair in two PEM files."""

    def __init__(self, folder: Path, name: str, hosts=("127.0.0.1", "localhost"), issuer: "Certificate|None" = None,
                 authority: bool = False, from_days: int = -1, to_days: int = 365):
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.timezone.utc)
        subject = _name(f"Polyvisor tests {name}")
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.x509.subject if issuer else subject)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(days=from_days))
            .not_valid_after(now + datetime.timedelta(days=to_days))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if authority:
            usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
            builder = builder.add_extension(usage, critical=True)
        else:
            builder = builder.add_extension(_alternatives(hosts), critical=False)
        self.x509 = builder.sign(issuer.key if issuer else self.key, hashes.SHA256())
        self.cert_file = folder / f"{name}.pem"
        self.key_file = folder / f"{name}.key"
        self.cert_file.write_bytes(self.x509.public_bytes(serialization.Encoding.PEM))
        self.key_file.write_bytes(self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        self.key_file.chmod(0o600)
        self.pem = self.cert_file.read_text()
        self.sha256 = hashlib.sha256(self.x509.public_bytes(serialization.Encoding.DER)).hexdigest()


def served_sha256(host: str, port: int) -> str:
    """SHA-256 of the certificate that a TLS server shows now."""
    pem = ssl.get_server_certificate((host, port))
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
