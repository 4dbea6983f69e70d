"""Settings from one place: ``cityforge.toml`` and ``CITYFORGE_*`` variables, checked whole.

A command's option wins over a variable, a variable over the file. Unknown keys are refused, because a mistyped key that
is ignored is a setting that silently does not hold. Secrets are :class:`pydantic.SecretStr` and are never printed.
"""

from __future__ import annotations

import difflib
import getpass
import os
import tomllib
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import Field, PrivateAttr, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from contracts import IDENTIFIER, ClientTls, ConfigurationError, Problem, StoreError
from serving import ApiKey, TlsSettings

FILE_NAME = "cityforge.toml"
_FILE_VALUES = "file_values"
PREFIX = "CITYFORGE_"
CHILD_VARIABLES = frozenset({"CITYFORGE_SERVING", "CITYFORGE_RUNTIME", "CITYFORGE_FEEDS"})
"""Set by the supervisor for the processes it starts; no settings of this file."""


class WarningLanguage(StrEnum):
    """The language in which the command line shows warnings."""

    ZH = "zh"
    EN = "en"
    BOTH = "both"


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no name for this user id, as in many containers
        return "unknown"


class Settings(BaseSettings):
    """All settings of one working directory.

    Attributes:
        home: where state lies; relative paths start at the folder of ``cityforge.toml``.
        store_url: SQLAlchemy URL; default SQLite in ``home``.
        tracking_uri: MLflow tracking URI; default SQLite in ``home``.
        releases_url: fsspec URL of released files; default a folder in ``home``.
        packs: folders or names of packs; default the folder itself where it holds a ``pack.toml``.
        host: address that serving listens on.
        port: port that serving listens on.
        grpc_port: port that serving listens on for gRPC; None leaves gRPC out.
        tls: certificates of serving; None serves without TLS.
        client_tls: whom commands and the runtime trust, and who they are, where the platform uses TLS.
        workers: serving processes.
        inference_log_share: share of inferences that serving keeps for replays; 0 keeps none. Pictures are never kept.
        inference_log_mib: of all of them together; the oldest make room.
        response_cache_mib: memory for answers to inferences that repeat to the last bit; 0 keeps none.
        url: address of a platform that already runs, for commands that talk to one.
        api_key: the key that commands present to it.
        open_access: answer without keys; only on a loopback address.
        keys: hashes of the API keys.
        shard: which shard of places the runtime takes.
        clock: what moves time on when no reading comes: the system's clock, or only ticks that are sent.
        actor: who acts, for the ledger and the audit; default the user's name.
        language: the language of warnings in tables.
        log_level: of the processes.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, env_ignore_empty=True
    )

    home: Path = Path(".cityforge")
    store_url: SecretStr | None = None
    tracking_uri: SecretStr | None = None
    releases_url: SecretStr | None = None
    packs: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: int = Field(default=3000, ge=0, le=65535)
    grpc_port: int | None = Field(default=None, ge=1, le=65535)
    tls: TlsSettings | None = None
    client_tls: ClientTls | None = None
    workers: int = Field(default=1, ge=1, le=256)
    inference_log_share: float = Field(default=0.0, ge=0, le=1)
    inference_log_mib: int = Field(default=1024, ge=1)
    response_cache_mib: int = Field(default=0, ge=0, le=65_536)
    url: str | None = None
    api_key: SecretStr | None = None
    open_access: bool = False
    keys: tuple[ApiKey, ...] = ()
    shard: str = Field(default="main", pattern=IDENTIFIER)
    clock: Literal["system", "ticks"] = "system"
    actor: str = Field(default_factory=_user_name, min_length=1, max_length=128)
    language: WarningLanguage = WarningLanguage.BOTH
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    _folder: Path = PrivateAttr(default_factory=Path.cwd)
    _file: Path | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _check_access(self) -> Settings:
        if self.open_access and not is_loopback(self.host):
            message = f"open_access answers without keys, so the host must be a loopback address, was {self.host!r}"
            raise ValueError(message)
        names = [key.name for key in self.keys]
        if len(set(names)) != len(names):
            message = f"the names of keys must differ, were {names}"
            raise ValueError(message)
        return self

    @classmethod
    def settings_customise_sources(  # noqa: D102 - pydantic-settings' hook
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the hook's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - likewise
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file_values = cast("InitSettingsSource", init_settings).init_kwargs.pop(_FILE_VALUES, {})
        return init_settings, env_settings, InitSettingsSource(settings_cls, file_values)

    @property
    def folder(self) -> Path:
        """The folder that relative paths start at."""
        return self._folder

    @property
    def file(self) -> Path | None:
        """The ``cityforge.toml`` that was read, if one was found."""
        return self._file

    @property
    def home_folder(self) -> Path:
        """The absolute folder of the state."""
        return (self._folder / self.home).resolve()

    def make_home(self) -> Path:
        """Make the folder of the state if it is not there, and return it.

        Raises:
            StoreError: if it cannot be made.
        """
        folder = self.home_folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            message = f"The folder {str(folder)!r} cannot be made: {exc}. Set `home` to a folder that can be written."
            raise StoreError(message) from exc
        return folder

    @property
    def store_address(self) -> str:
        """SQLAlchemy URL of the store; may hold a password."""
        return _reveal(self.store_url) or f"sqlite:///{self.home_folder / 'store.db'}"

    @property
    def tracking_address(self) -> str:
        """MLflow tracking URI; may hold a password."""
        return _reveal(self.tracking_uri) or f"sqlite:///{self.home_folder / 'mlflow.db'}"

    @property
    def releases_address(self) -> str:
        """The fsspec URL of released files."""
        return _reveal(self.releases_url) or str(self.home_folder / "releases")

    @property
    def platform_url(self) -> str:
        """Where commands reach the platform."""
        scheme = "http" if self.tls is None else "https"
        return (self.url or f"{scheme}://{self.host}:{self.port}").rstrip("/")

    @property
    def inference_log_folder(self) -> Path:
        """Where serving keeps inferences for replays."""
        return self.home_folder / "inference-log"

    @property
    def serving_tls(self) -> TlsSettings | None:
        """The certificates of serving, their paths absolute."""
        return None if self.tls is None else TlsSettings(**self._absolute(self.tls.model_dump()))

    @property
    def trust(self) -> ClientTls | None:
        """Whom commands and the runtime trust and who they are, its paths absolute."""
        return None if self.client_tls is None else ClientTls(**self._absolute(self.client_tls.model_dump()))

    def _absolute(self, paths: dict[str, Path | None]) -> dict[str, Any]:
        return {name: None if path is None else self._folder / path for name, path in paths.items()}

    def pack_names(self) -> tuple[str, ...]:
        """Return the packs named, or the project's own folder where it is a pack."""
        if self.packs:
            return self.packs
        return (str(self._folder),) if (self._folder / "pack.toml").is_file() else ()


def load_settings(config: Path | None = None, *, start: Path | None = None, **overrides: Any) -> Settings:
    """Read settings from ``cityforge.toml``, the environment and overrides of the caller.

    Args:
        config: path of the file; None to search for it from ``start`` upward.
        start: folder to search from; None for the working directory.
        overrides: settings that win over both, such as those of a command's options; None is left out.

    Raises:
        ConfigurationError: listing every unknown key and every value that does not fit.
    """
    file = config if config is not None else find_file(start or Path.cwd())
    values, problems = ({}, []) if file is None else _read_file(file)
    problems += _unknown_variables(os.environ)
    given = {name: value for name, value in overrides.items() if value is not None}
    given[_FILE_VALUES] = values
    settings = None
    try:
        settings = Settings(**given)
    except ValidationError as exc:
        problems += _setting_problems(exc, file)
    if problems or settings is None:
        title = "The settings"
        raise ConfigurationError(title, problems)
    settings._folder = (file.parent if file is not None else start or Path.cwd()).resolve()
    settings._file = file
    return settings


def adapt(settings: Settings, **changes: Any) -> Settings:
    """Return settings with some changed, such as by a command's options; None changes nothing.

    Raises:
        ConfigurationError: if they do not fit any more.
    """
    chosen = {name: value for name, value in changes.items() if value is not None}
    try:
        adapted = Settings(**{**settings.model_dump(), **chosen})
    except ValidationError as exc:
        title = "The settings"
        raise ConfigurationError(title, _setting_problems(exc, settings.file)) from exc
    adapted._folder, adapted._file = settings.folder, settings.file
    return adapted


def find_file(start: Path) -> Path | None:
    """Return the nearest ``cityforge.toml`` in a folder or above it."""
    folder = start.resolve()
    for candidate in (folder, *folder.parents):
        if (candidate / FILE_NAME).is_file():
            return candidate / FILE_NAME
    return None


def is_loopback(host: str) -> bool:
    """Return whether an address can be reached from this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _read_file(file: Path) -> tuple[dict[str, Any], list[Problem]]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8")), []
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        return {}, [Problem(str(file), f"cannot be read: {exc}.", "Give a readable TOML file.")]


def _unknown_variables(environment: os._Environ[str] | dict[str, str]) -> list[Problem]:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    names = sorted(name for name in environment if name.startswith(PREFIX) and name not in CHILD_VARIABLES)
    unknown = [name for name in names if name.partition("__")[0] not in known]
    return [Problem(name, "is no setting.", _suggest(name, known)) for name in unknown]


def _setting_problems(exc: ValidationError, file: Path | None) -> list[Problem]:
    problems = []
    for error in exc.errors(include_url=False):
        place = ".".join(str(part) for part in error["loc"])
        field = str(error["loc"][0]) if error["loc"] else ""
        variable = PREFIX + field.upper()
        where = variable if variable in os.environ else f"{file.name if file else 'settings'}: {place or 'whole'}"
        if error["type"] == "extra_forbidden":
            problems.append(Problem(where, "is no setting.", _suggest(field, set(Settings.model_fields))))
            continue
        secret = field in {"store_url", "tracking_uri", "releases_url", "api_key", "keys"} or not field
        given = "" if secret or error["type"] == "missing" else f", given {str(error['input'])[:80]!r}"
        problems.append(Problem(where, f"{error['msg'].removeprefix('Value error, ')}{given}.", ""))
    return problems


def _suggest(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(sorted(known))}."


def _reveal(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
