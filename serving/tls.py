"""Certificates: read once and proven before anything listens, so that what is wrong with them is told plainly."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from contracts import ConfigurationError, Problem

from .settings import TlsSettings


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """What the files of the settings hold, as PEM.

    Attributes:
        certificate: the server's, with those between it and its authority.
        key: of the certificate.
        client_ca: the authority whose certificates clients must show; None where they need none.
    """

    certificate: bytes
    key: bytes
    client_ca: bytes | None


def check_tls(tls: TlsSettings) -> None:
    """Prove the files as a server would use them.

    Raises:
        ConfigurationError: listing every file that cannot be read, is no PEM, or does not fit the other.
    """
    problems = [
        problem
        for name, path in (("certificate", tls.certificate), ("key", tls.key), ("client_ca", tls.client_ca))
        if path is not None and (problem := _unreadable(name, path)) is not None
    ]
    if not problems:
        problems = [*_mismatch(tls), *_wrong_authority(tls)]
    if problems:
        title = "TLS"
        raise ConfigurationError(title, problems)


def read_files(tls: TlsSettings) -> TlsFiles:
    """Return what the files hold; :func:`check_tls` has proven them."""
    client_ca = None if tls.client_ca is None else tls.client_ca.read_bytes()
    return TlsFiles(tls.certificate.read_bytes(), tls.key.read_bytes(), client_ca)


def _unreadable(name: str, path: Path) -> Problem | None:
    try:
        content = path.read_bytes()
    except OSError as exc:
        return Problem(f"tls.{name}", f"the file {str(path)!r} cannot be read: {exc.strerror}.", "Give its right path.")
    if b"-----BEGIN " in content:
        return None
    return Problem(f"tls.{name}", f"the file {str(path)!r} holds no PEM.", "Convert it with `openssl x509` or `pkey`.")


def _mismatch(tls: TlsSettings) -> list[Problem]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(tls.certificate, tls.key, password=_no_password)
    except ValueError:
        text = f"the key {str(tls.key)!r} is encrypted."
        return [Problem("tls.key", text, "Store it without a passphrase, readable by this user alone.")]
    except ssl.SSLError as exc:
        reason = exc.reason or str(exc)
        text = f"{str(tls.certificate)!r} and {str(tls.key)!r} are no certificate with its key ({reason})."
        return [Problem("tls", text, "Give the PEM of the certificate and of the very key it was made for.")]
    return []


def _wrong_authority(tls: TlsSettings) -> list[Problem]:
    if tls.client_ca is None:
        return []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_verify_locations(tls.client_ca)
    except ssl.SSLError as exc:
        text = f"{str(tls.client_ca)!r} holds no certificate of an authority ({exc.reason or exc})."
        return [Problem("tls.client_ca", text, "Give the PEM of the authority that signs clients' certificates.")]
    return []


def _no_password() -> str:
    """Refuse to ask at a terminal, as OpenSSL otherwise would."""
    message = "encrypted"
    raise ValueError(message)
