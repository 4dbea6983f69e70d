"""The error tree: every failure cityforge can explain.

    FactoryError
    ├── ConfigurationError     a file or setting is wrong; every problem is listed at once
    ├── DataError              readings, series or pictures cannot be used as given
    │   └── UnknownSignError   a sign that the catalogue does not hold
    ├── TensorError            an input does not fit the declared signature
    ├── ArtefactError          a file is missing, corrupt, or not the one its sha256 names
    ├── ModelError             a model cannot be built, fitted or exported
    ├── PromotionError         a version may not become champion
    ├── KnowledgeError         a rule set cannot be compiled or evaluated within its bounds
    ├── StoreError             state cannot be read or written
    │   ├── SchemaError        the store's schema is newer than this program
    │   └── LeaseError         the lease was lost: another holder is writing
    ├── AccessError            no key, an unknown key, or a role that may not do this
    └── ServiceError           a process or port cannot be used, or a service does not answer
        └── OverloadedError    refused now; worth trying again after ``retry_after_s``

This module knows no HTTP: status codes live in ``serving`` and ``operations`` alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class FactoryError(Exception):
    """Base of every error that cityforge raises on purpose.

    The message says what is wrong, what was given and what to do.
    """


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a file or setting.

    Attributes:
        where: file, line or key, such as ``rules/burst.yaml:12`` or ``[model].horizon``.
        message: what is wrong and what was given.
        remedy: what to do about it.
    """

    where: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        """Return ``where: message remedy`` on one line."""
        return f"{self.where}: {self.message} {self.remedy}".rstrip()


class ConfigurationError(FactoryError):
    """A configuration is wrong; carries every problem found, not only the first.

    Args:
        title: what was being read, such as ``Recipe 'ridge.toml'``.
        problems: all problems found, in file order.
    """

    def __init__(self, title: str, problems: Iterable[Problem]) -> None:
        self.title = title
        self.problems: Sequence[Problem] = tuple(problems)
        count = len(self.problems)
        lines = "\n".join(f"  - {problem}" for problem in self.problems)
        plural = "problem" if count == 1 else "problems"
        super().__init__(f"{title} has {count} {plural}:\n{lines}")


class DataError(FactoryError):
    """Readings, series or pictures cannot be used as given."""


class UnknownSignError(DataError):
    """A sign that the catalogue does not hold."""


class TensorError(FactoryError):
    """An input does not fit the declared signature."""


class ArtefactError(FactoryError):
    """A file is missing, corrupt, or not the one its sha256 names."""


class ModelError(FactoryError):
    """A model cannot be built, fitted or exported."""


class PromotionError(FactoryError):
    """A version may not become champion."""


class KnowledgeError(FactoryError):
    """A rule set cannot be compiled or evaluated within its bounds."""


class StoreError(FactoryError):
    """State cannot be read or written."""


class SchemaError(StoreError):
    """The store's schema is newer than this program understands."""


class LeaseError(StoreError):
    """The lease was lost: another holder has a higher fencing token."""


class AccessError(FactoryError):
    """No key, an unknown key, or a role that may not do this."""


class ServiceError(FactoryError):
    """A process or port cannot be used, or a service does not answer."""


class OverloadedError(ServiceError):
    """Refused now, worth trying again.

    Args:
        message: what is overloaded.
        retry_after_s: seconds after which a retry is worth while.
    """

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
