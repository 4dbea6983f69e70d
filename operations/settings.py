"""Settings of the runtime process: JSON in ``CITYFORGE_RUNTIME``, checked whole."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from contracts import IDENTIFIER, ClientTls, ConfigurationError, Problem
from early_warning import WarningPolicy

VARIABLE = "CITYFORGE_RUNTIME"


class RuntimeSettings(BaseModel):
    """What one runtime is told.

    Attributes:
        store_url: SQLAlchemy URL of the store.
        serving_url: where ``/v2`` answers.
        serving_key: API key presented to it; None where it answers without keys.
        tls: whom it trusts as serving and who it is itself; None trusts the authorities of this machine.
        packs: folders of packs, whose rules apply.
        releases_url: fsspec URL of released files, where promoted rules lie; None where none are ever promoted.
        shard: the shard of places that it takes.
        clock: what moves time on when no reading comes: the system's clock, or only ticks that are sent.
        holder: its name on the lease; the same name takes its own lease back at once. Default: the host's name.
        lease_ttl_s: how long the lease outlives its last renewal.
        batch: inbox items read at once.
        poll_s: pause after finding the inbox empty.
        tick_s: seconds between ticks of the system's clock.
        timeout_s: how long one answer of serving may take.
        patience_s: how long serving may be away before its models count as silent and time moves on without them.
        policy: the engine's choices; default what the packs say in ``policy.toml``.
        log_level: of the process.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    store_url: str = Field(min_length=1, repr=False)
    serving_url: str = Field(default="http://127.0.0.1:3000", pattern=r"^https?://")
    serving_key: SecretStr | None = None
    tls: ClientTls | None = None
    packs: tuple[Path, ...] = ()
    releases_url: str | None = Field(default=None, repr=False)
    shard: str = Field(default="main", pattern=IDENTIFIER)
    clock: Literal["system", "ticks"] = "system"
    holder: str = Field(default_factory=socket.gethostname, min_length=1, max_length=128)
    lease_ttl_s: float = Field(default=15, gt=0)
    batch: int = Field(default=500, ge=1, le=100_000)
    poll_s: float = Field(default=0.1, gt=0, le=60)
    tick_s: float = Field(default=10, gt=0)
    timeout_s: float = Field(default=10, gt=0)
    patience_s: float = Field(default=60, ge=0)
    policy: WarningPolicy | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"


def read_settings(environment: Mapping[str, str]) -> RuntimeSettings:
    """Read the settings from the environment.

    Raises:
        ConfigurationError: if the variable is missing or wrong, listing every problem.
    """
    title = f"The variable {VARIABLE}"
    text = environment.get(VARIABLE)
    if text is None:
        problem = Problem(VARIABLE, "is not set.", "Start the runtime with `cityforge serve`, or set it to JSON.")
        raise ConfigurationError(title, [problem])
    try:
        return RuntimeSettings.model_validate_json(text)
    except ValidationError as exc:
        # The message of a wrong value would show it, and one of them is a key.
        problems = [Problem(".".join(map(str, error["loc"])) or "whole", f"{error['msg']}.") for error in exc.errors()]
        raise ConfigurationError(title, problems) from None
