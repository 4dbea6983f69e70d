"""A rule set as one file: the texts of a pack's rules and procedures, the same bytes for the same texts.

What is promoted, rolled back and reloaded is a bundle. It holds texts and no meaning: what it says is read, and checked
against the signs and places of the day, by the same code as a folder.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contracts import IDENTIFIER, ConfigurationError, PlaceTree, Problem, SignCatalogue, validation_problems

from .loading import load_procedures, load_rules
from .ruleset import RuleSet

MAXIMUM_BUNDLE_BYTES = 64 * 1024 * 1024
_FORMAT = "cityforge.rules/1"
_SUFFIXES = {".yaml", ".yml", ".csv"}
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,127}\.(yaml|yml|csv)")


class RuleBundle(BaseModel):
    """Everything that a pack's rules are made of.

    Attributes:
        format: of the file.
        pack: id of the pack.
        timezone: IANA name of the local time of nights, hours and seasons.
        procedures: text of the procedures; None for none.
        rules: name of a file → its text: rules and thresholds of places.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: str = Field(default=_FORMAT, pattern=f"^{_FORMAT}$")
    pack: str = Field(pattern=IDENTIFIER)
    timezone: str
    procedures: str | None = None
    rules: dict[str, str]

    @classmethod
    def of_folder(cls, pack: str, rules: Path, procedures: Path, timezone: str) -> RuleBundle:
        """Bundle a folder of rules and a file of procedures.

        Raises:
            ConfigurationError: if a file cannot be read, or its name cannot be kept.
        """
        problems: list[Problem] = []
        files = sorted(path for path in rules.iterdir() if path.suffix in _SUFFIXES) if rules.is_dir() else []
        texts = {path.name: text for path in files if (text := _read(path, problems)) is not None}
        told = _read(procedures, problems) if procedures.is_file() else None
        title = f"The rules in {rules}"
        if problems:
            raise ConfigurationError(title, problems)
        try:
            return cls(pack=pack, timezone=timezone, procedures=told, rules=texts).checked()
        except ValidationError as exc:
            raise ConfigurationError(title, list(validation_problems(str(rules), exc))) from exc

    @classmethod
    def parse(cls, content: bytes) -> RuleBundle:
        """Read a bundle.

        Raises:
            ConfigurationError: if it is none, too large, or names a file that leads elsewhere.
        """
        title = "The bundle of rules"
        if len(content) > MAXIMUM_BUNDLE_BYTES:
            problem = Problem("bundle", f"holds more than {MAXIMUM_BUNDLE_BYTES} bytes.", "Split the pack.")
            raise ConfigurationError(title, [problem])
        try:
            return cls.model_validate_json(content).checked()
        except ValidationError as exc:
            raise ConfigurationError(title, list(validation_problems("bundle", exc))) from exc

    def checked(self) -> RuleBundle:
        """Return itself, every file name being plain.

        Raises:
            ConfigurationError: if one is not.
        """
        odd = [name for name in self.rules if not _FILE_NAME.fullmatch(name)]
        if odd:
            remedy = "Rename it: letters, digits, '.', '_' and '-', ending in .yaml or .csv."
            problems = [Problem(name[:128], "is no plain file name.", remedy) for name in odd]
            title = "The bundle of rules"
            raise ConfigurationError(title, problems)
        return self

    def to_bytes(self) -> bytes:
        """Return the file: the same texts give the same bytes."""
        ordered = self.model_copy(update={"rules": dict(sorted(self.rules.items()))})
        return ordered.model_dump_json(indent=1).encode()

    @property
    def sha256(self) -> str:
        """Digest of :meth:`to_bytes`."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def load(self, signs: SignCatalogue, places: PlaceTree) -> RuleSet:
        """Read its rules against signs and places.

        Raises:
            ConfigurationError: listing every problem.
        """
        with tempfile.TemporaryDirectory(prefix="cityforge-rules-") as scratch:
            folder, procedures = Path(scratch, "rules"), Path(scratch, "procedures.yaml")
            folder.mkdir()
            for name, text in self.rules.items():
                (folder / name).write_text(text, encoding="utf-8", newline="")
            if self.procedures is not None:
                procedures.write_text(self.procedures, encoding="utf-8", newline="")
            known = load_procedures(procedures)
            return load_rules(folder, signs, places, known, timezone=self.timezone)


def _read(path: Path, problems: list[Problem]) -> str | None:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        problems.append(Problem(path.name, f"cannot be read: {exc}.", "Give a readable UTF-8 file."))
        return None
