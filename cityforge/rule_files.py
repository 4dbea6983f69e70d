"""Which rule files a command means: packs, folders or single files, and how they are written back."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from contracts import DataError

from .packs import find_pack

SUFFIXES = (".yaml", ".yml")


def rule_files(names: list[str], *, base: Path) -> list[Path]:
    """Return the rule files and procedures that packs, folders and files stand for, each once, in order.

    Raises:
        DataError: if a name is neither, or holds no YAML file.
    """
    found: dict[Path, None] = {}
    for name in names:
        path = base / name
        if path.is_file():
            found[path] = None
        elif path.is_dir() and not (path / "pack.toml").is_file():
            found |= dict.fromkeys(_yaml_in(path))
        else:
            pack = find_pack(name, base=base)
            found |= dict.fromkeys(_yaml_in(pack / "rules"))
            if (pack / "procedures.yaml").is_file():
                found[pack / "procedures.yaml"] = None
    return list(found)


def _yaml_in(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES) if folder.is_dir() else []
    if not found:
        message = f"The folder {str(folder)!r} holds no *.yaml. Name a pack, a folder of rules or a rule file."
        raise DataError(message)
    return found


def read_text(path: Path) -> str:
    """Read a text file.

    Raises:
        DataError: if it cannot be read as UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        message = f"{path} cannot be read: {exc}. Give a readable UTF-8 file."
        raise DataError(message) from exc


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all; it keeps its permissions.

    Raises:
        DataError: if it cannot be written.
    """
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", newline="\n", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as beside:
            beside.write(text)
        if path.exists():
            Path(beside.name).chmod(path.stat().st_mode & 0o777)
        else:
            Path(beside.name).chmod(0o666 & ~_umask())
        Path(beside.name).replace(path)
    except OSError as exc:
        message = f"{path} cannot be written: {exc}. Give a place that can be written."
        raise DataError(message) from exc


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
