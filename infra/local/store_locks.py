"""What closes the local store's ports behind S3: keys, certificates, and whose its sockets are.

A white list of addresses would not do: other users of the machine have the same address.
"""

from __future__ import annotations

import os
import secrets
import ssl
from contextlib import suppress
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from data_contracts.errors import StackError
from data_contracts.time import now_utc
from infra.home import Home
from infra.stack_record import replace_private

PORTS = ("s3", "filer", "master", "volume", "admin")
GRPC_OFFSET = 10000
_HTTPS_SERVERS = ("master", "volume", "filer", "admin")
_GRPC_SERVICES = ("volume", "master", "filer", "s3", "admin", "worker", "client")
# Python 3.13 asks this of a certificate that signs another, here itself.
_KEY_USAGE = x509.KeyUsage(
    digital_signature=True,
    key_cert_sign=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)
# Made anew at each start: it must only outlast the longest run of one process.
_CERTIFICATE_DAYS = 3650


def certificate_file(home: Home) -> Path:
    """Key and certificate that the store shows itself and wants to see (mode 0600)."""
    return home.store / "inside.pem"


def write_security(home: Home) -> None:
    """SeaweedFS's security.toml with fresh keys; the program reads it from its working folder.

    Without the JWT keys the filer's port lists everything to anyone on this machine; without the
    certificate its gRPC ports do, and the master's port destroys whole buckets at one GET and hands
    out tokens to read, write and delete.
    """
    tls = certificate_file(home)
    replace_private(tls, _own_certificate())
    keys = ("jwt.signing", "jwt.signing.read", "jwt.filer_signing", "jwt.filer_signing.read")
    sections = [
        f'[{name}]\nkey = "{secrets.token_urlsafe(32)}"\nexpires_after_seconds = 60\n'
        for name in keys
    ]
    pair = f'cert = "{tls}"\nkey = "{tls}"\n'
    sections.append(f'[grpc]\nca = "{tls}"\n')
    sections += [f"[grpc.{name}]\n{pair}" for name in _GRPC_SERVICES]
    # `ca` in a server's section: it asks for a client's certificate.
    sections += [f'[https.{name}]\n{pair}ca = "{tls}"\n' for name in _HTTPS_SERVERS]
    sections.append(f'[https.client]\nenabled = true\n{pair}ca = "{tls}"\n')
    sections.append("[filer.expose_directory_metadata]\nenabled = false\n")
    replace_private(home.store / "security.toml", "\n".join(sections))


def client(home: Home, timeout_s: float) -> urllib3.PoolManager:
    """A client of the ports behind S3, with this home's certificate. Raises OSError without it."""
    pair = str(certificate_file(home))
    context = ssl.create_default_context(cafile=pair)
    context.load_cert_chain(pair)
    return urllib3.PoolManager(timeout=timeout_s, retries=False, ssl_context=context)


def tidy(ports: dict[str, int]) -> None:
    """Remove the sockets that the program leaves in /tmp when it is stopped."""
    for path in _socket_paths(ports):
        with suppress(OSError):  # gone, or another user's, which the next start refuses
            path.unlink()


def check_sockets(ports: dict[str, int]) -> None:
    """The sockets over which the program's parts talk, unencrypted, are this user's, before and
    after its start: anyone may put one into /tmp. Raises StackError.
    """
    for path in _socket_paths(ports):
        try:
            owner = path.lstat().st_uid
        except FileNotFoundError:
            continue
        if owner != os.geteuid():
            raise StackError(
                f"{path} belongs to another user (id {owner}), who could so stand between the "
                "parts of the object store: have it removed, then run encounter up"
            )


def _socket_paths(ports: dict[str, int]) -> list[Path]:
    """There is no flag for their place."""
    numbers = {name: ports.get(name, 0) + GRPC_OFFSET for name in PORTS}
    return [Path(f"/tmp/seaweedfs-{name}-grpc-{n}.sock") for name, n in numbers.items()]  # noqa: S108


def _own_certificate() -> str:
    """A self-signed certificate with its key, for both sides of the store's connections to
    itself.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "encounter local store")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now_utc() - timedelta(days=1))
        .not_valid_after(now_utc() + timedelta(days=_CERTIFICATE_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_KEY_USAGE, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return (private + made.public_bytes(Encoding.PEM)).decode()
