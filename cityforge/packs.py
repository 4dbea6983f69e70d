"""Where packs lie: a folder of one's own, or one of those installed with cityforge."""

from __future__ import annotations

import shutil
from pathlib import Path

from contracts import ConfigurationError, DataError, Pack, Problem, load_pack

SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"


def installed_packs() -> list[Path]:
    """Return the folders of the packs that come with cityforge, sorted."""
    return sorted(file.parent for file in SCENARIOS.glob("*/*/pack.toml"))


def find_pack(name: str, *, base: Path | None = None) -> Path:
    """Return the folder of a pack.

    Args:
        name: a folder, or the name of an installed pack: ``water_main``, ``construction.water_main``.
        base: folder that a relative one starts at; None for the working directory.

    Raises:
        DataError: if there is none, naming those there are.
    """
    folder = (base or Path.cwd()) / name
    if (folder / "pack.toml").is_file():
        return folder.resolve()
    wanted = name.replace("/", ".")
    for installed in installed_packs():
        if wanted in (installed.name, f"{installed.parent.name}.{installed.name}"):
            return installed
    known = ", ".join(f"{path.parent.name}.{path.name}" for path in installed_packs())
    message = f"No pack {name!r}: no folder with a pack.toml, and not among the installed ones: {known}."
    raise DataError(message)


def load_packs(names: tuple[str, ...], *, base: Path) -> list[Pack]:
    """Read packs, and report the problems of all of them at once.

    Raises:
        ConfigurationError: listing every problem of every pack.
        DataError: if a pack is not found.
    """
    packs: list[Pack] = []
    problems: list[Problem] = []
    for name in names:
        try:
            packs.append(load_pack(find_pack(name, base=base)))
        except ConfigurationError as exc:
            problems.extend(Problem(f"{name}/{one.where}", one.message, one.remedy) for one in exc.problems)
    if problems:
        title = "The packs"
        raise ConfigurationError(title, problems)
    return packs


def copy_pack(source: Path, target: Path) -> None:
    """Copy a pack into a folder that does not hold one yet.

    Raises:
        DataError: if the folder already holds a pack or cannot be written.
    """
    if (target / "pack.toml").exists():
        message = f"{target} already holds a pack. Give another folder, or remove it first."
        raise DataError(message)
    try:
        shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    except OSError as exc:
        message = f"The pack cannot be copied to {target}: {exc}. Give a folder that can be written."
        raise DataError(message) from exc
