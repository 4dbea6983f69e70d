"""Whom a client trusts over TLS, and who it is itself: the same words for every process that asks serving."""

from __future__ import annotations

import ssl
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from .errors import ConfigurationError, Problem


class ClientTls(BaseModel):
    """How a client trusts the platform, and shows who it is.

    Attributes:
        ca: PEM of the authority that signed the platform's certificate; None trusts those of this machine.
        certificate: PEM of the client's own certificate; None where the platform asks for none.
        key: PEM of its key.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Return it as Python's ssl takes it.

        Raises:
            ConfigurationError: if a file cannot be read or does not hold what it should.
        """
        try:
            context = ssl.create_default_context(cafile=self.ca)
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
        except OSError as exc:  # ssl.SSLError is one
            title = "The client's TLS files"
            given = f"{self.ca}, {self.certificate}, {self.key}"
            problem = Problem("tls", f"cannot be used ({exc}); given: {given}.", "Give PEM files that belong together.")
            raise ConfigurationError(title, [problem]) from exc
        return context


def verification(tls: ClientTls | None) -> ssl.SSLContext | bool:
    """Return what an HTTP client checks certificates with; without settings, the authorities of this machine."""
    return True if tls is None else tls.context()
