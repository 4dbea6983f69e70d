"""What a serving process is told: where state lies, where it listens, who may ask.

Light on purpose: whoever starts serving imports this without a server framework.
"""

from __future__ import annotations

import os
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_serializer, model_validator

from contracts import IDENTIFIER, ConfigurationError, Problem

SETTINGS_VARIABLE = "CITYFORGE_SERVING"
MIB = 1024 * 1024


class Role(StrEnum):
    """What the holder of a key may do; each role may do what those before it may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ENGINEER = "engineer"
    ADMINISTRATOR = "administrator"

    @property
    def rank(self) -> int:
        """0 for a viewer up to 3 for an administrator."""
        return _RANKS[self]


_RANKS = {role: rank for rank, role in enumerate(Role)}


class ApiKey(BaseModel):
    """One API key, known by its hash alone.

    Attributes:
        name: who holds it; stands on verdicts.
        role: what it may do.
        sha256: hex digest of the key's text. Keys are long and random, so that no salt is needed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=IDENTIFIER)
    role: Role
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class TlsSettings(BaseModel):
    """Certificates of a server, as PEM files.

    Attributes:
        certificate: the server's, followed by those between it and its authority.
        key: of the certificate, without a passphrase.
        client_ca: an authority: only clients that show a certificate signed by it may connect (mutual TLS).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    certificate: Path
    key: Path
    client_ca: Path | None = None


class InferenceLogSettings(BaseModel):
    """How much of what models are asked is kept, for trying other versions on it.

    Attributes:
        folder: where to.
        share: of the answers, drawn at random.
        limit_mib: of all files together; the oldest make room.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Path
    share: float = Field(gt=0, le=1)
    limit_mib: int = Field(default=1024, ge=1)


class ServingSettings(BaseModel):
    """Everything a serving process needs to know.

    Attributes:
        store_url: of the store.
        releases_url: of the released files.
        host: address to listen on.
        port: port to listen on.
        grpc_port: port to listen on for gRPC; None leaves gRPC out.
        tls: certificates; None serves without TLS.
        workers: processes that share the port.
        open_access: answer without a key, as an administrator; on a loopback address only.
        keys: who may ask.
        shard: the runtime's shard whose calibration `/forecast` applies and whose lag `/status` tells.
        clock: ``ticks`` lets engineers move the clock of a replay through `/ticks`.
        max_body_bytes: the longest request body.
        future_tolerance_s: how far a reading's event time may lie ahead of the clock.
        refresh_s: seconds after which the ledger is looked at, even if the store told of no change.
        threads: threads that run models; None for one per processor granted.
        response_cache_mib: memory for answers to requests that repeat to the last bit; 0 keeps none.
        inference_log: what is kept of requests and answers; None keeps nothing.
        log_level: of the process's own log.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    store_url: SecretStr
    releases_url: SecretStr
    host: str = "127.0.0.1"
    port: int = Field(default=3000, ge=0, le=65_535)
    grpc_port: int | None = Field(default=None, ge=1, le=65_535)
    tls: TlsSettings | None = None
    workers: int = Field(default=1, ge=1, le=256)
    open_access: bool = False
    keys: tuple[ApiKey, ...] = ()
    shard: str = Field(default="main", pattern=IDENTIFIER)
    clock: Literal["system", "ticks"] = "system"
    max_body_bytes: int = Field(default=32 * MIB, ge=1024, le=1024 * MIB)
    future_tolerance_s: int = Field(default=300, ge=0)
    refresh_s: float = Field(default=1.0, gt=0, le=3600)
    threads: int | None = Field(default=None, ge=1, le=256)
    response_cache_mib: int = Field(default=0, ge=0, le=65_536)
    inference_log: InferenceLogSettings | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @model_validator(mode="after")
    def _check_access(self) -> Self:
        if self.open_access and not _is_loopback(self.host):
            message = f"open_access answers without keys, so host must be a loopback address, was {self.host!r}"
            raise ValueError(message)
        if self.grpc_port is not None and self.grpc_port == self.port:
            message = f"grpc_port must differ from port, both were {self.port}"
            raise ValueError(message)
        names = [key.name for key in self.keys]
        if len(set(names)) != len(names):
            message = f"the names of keys must differ, were {names}"
            raise ValueError(message)
        return self

    @field_serializer("store_url", "releases_url", when_used="json")
    def _reveal(self, url: SecretStr) -> str:
        return url.get_secret_value()  # JSON is how the settings reach the child process; repr and str stay masked


def read_settings(text: str | None = None) -> ServingSettings:
    """Read the settings of this process.

    Args:
        text: the settings as JSON; None takes the variable ``CITYFORGE_SERVING``.

    Raises:
        ConfigurationError: listing everything that is wrong.
    """
    title = f"The variable {SETTINGS_VARIABLE}"
    text = os.environ.get(SETTINGS_VARIABLE) if text is None else text
    if text is None:
        problem = Problem(SETTINGS_VARIABLE, "is not set.", "Start with `cityforge serve`, or set it to JSON.")
        raise ConfigurationError(title, [problem])
    try:
        return ServingSettings.model_validate_json(text)
    except ValidationError as exc:
        found = exc.errors(include_url=False, include_input=False)
        problems = [Problem(".".join(map(str, each["loc"])) or "settings", each["msg"] + ".") for each in found]
        raise ConfigurationError(title, problems) from exc


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
