"""Configuration of the engine: signs and places of the store, champions of the ledger, rules and policy of packs."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from contracts import (
    ConfigurationError,
    PlaceTree,
    Problem,
    ReleaseManifest,
    SignCatalogue,
    load_pack,
    validation_problems,
)
from early_warning import Assignment, WarningConfiguration, WarningPolicy
from knowledge_graph import CompiledRules, compile_rules, load_procedures, load_rules
from store import Store

POLICY_FILE = "policy.toml"


def configure(store: Store, packs: Sequence[Path], policy: WarningPolicy | None = None) -> WarningConfiguration:
    """Return what the engine is told.

    Args:
        store: signs, places, assignments and champions.
        packs: folders whose rules apply.
        policy: the engine's choices; None for what the packs say.

    Raises:
        ConfigurationError: listing what is wrong in packs, rules or policy.
    """
    signs, places = SignCatalogue(store.signs.all()), PlaceTree(store.places.all())
    return WarningConfiguration(
        signs=signs,
        places=places,
        rules=compile_packs(packs, signs, places),
        assignments=assign(store),
        policy=policy or read_policy(packs),
    )


def compile_packs(packs: Iterable[Path], signs: SignCatalogue, places: PlaceTree) -> dict[str, CompiledRules]:
    """Return the compiled rules of every pack that has some, by the pack's id."""
    compiled = {}
    for folder in packs:
        pack = load_pack(folder)
        if pack.rules.is_dir():
            procedures = load_procedures(pack.procedures)
            ruleset = load_rules(pack.rules, signs, places, procedures, timezone=pack.header.timezone)
            compiled[pack.header.id] = compile_rules(ruleset)
    return compiled


def read_policy(packs: Iterable[Path]) -> WarningPolicy:
    """Return the policy that the packs ask for; the default where none does.

    Raises:
        ConfigurationError: if a file is wrong, or two packs ask for different policies.
    """
    found: dict[Path, WarningPolicy] = {}
    problems: list[Problem] = []
    for path in (folder / POLICY_FILE for folder in packs):
        if not path.is_file():
            continue
        try:
            found[path] = WarningPolicy.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except ValidationError as exc:
            problems.extend(validation_problems(str(path), exc))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
            problems.append(Problem(str(path), f"cannot be read: {exc}.", "Give a readable TOML file."))
    if len({policy.model_dump_json() for policy in found.values()}) > 1:
        files = ", ".join(map(str, found))
        problems.append(Problem(files, "differ, and a shard has one policy.", "Give it in the runtime's settings."))
    if problems:
        title = "The policy of the packs"
        raise ConfigurationError(title, problems)
    return next(iter(found.values()), WarningPolicy())


def assign(store: Store) -> dict[str, Assignment]:
    """Return the forecaster of each sign.

    An assignment chooses. Without one, a sign goes to the champion that names it, if there is only one.
    """
    champions = {name: entry.manifest for name, entry in store.ledger.champions().items()}
    chosen = _named(champions) | store.assignments.all()
    found = {}
    for sign, model in sorted(chosen.items()):
        manifest = champions.get(model)
        if manifest is not None and manifest.forecast is not None:
            found[sign] = Assignment(model, manifest.forecast)
    return found


def _named(champions: Mapping[str, ReleaseManifest]) -> dict[str, str]:
    naming: dict[str, list[str]] = {}
    for name, manifest in champions.items():
        for sign in manifest.signs if manifest.forecast is not None else ():
            naming.setdefault(sign, []).append(name)
    return {sign: names[0] for sign, names in naming.items() if len(names) == 1}
