"""Configuration of the engine: signs and places of the store, champions of the ledger, rules and policy of packs."""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from contracts import (
    ConfigurationError,
    PlaceTree,
    Problem,
    SignCatalogue,
    Task,
    load_pack,
    resolve_forecasters,
    validation_problems,
)
from early_warning import Assignment, WarningConfiguration, WarningPolicy
from knowledge_graph import CompiledRules, RuleBundle, compile_rules, load_procedures, load_rules
from store import ReleaseStore, Store

POLICY_FILE = "policy.toml"

logger = logging.getLogger(__name__)


def configure(
    store: Store,
    packs: Sequence[Path],
    policy: WarningPolicy | None = None,
    rules: Mapping[str, CompiledRules] | None = None,
) -> WarningConfiguration:
    """Return what the engine is told.

    Args:
        store: signs, places, assignments and champions.
        packs: folders whose rules apply.
        policy: the engine's choices; None for what the packs say.
        rules: compiled, by the id of their pack; None for those in the packs' folders.

    Raises:
        ConfigurationError: listing what is wrong in packs, rules or policy.
    """
    signs, places = SignCatalogue(store.signs.all()), PlaceTree(store.places.all())
    return WarningConfiguration(
        signs=signs,
        places=places,
        rules=compile_packs(packs, signs, places) if rules is None else rules,
        assignments=assign(store),
        policy=policy or read_policy(packs),
    )


def compile_packs(
    packs: Iterable[Path], signs: SignCatalogue, places: PlaceTree, released: Mapping[str, bytes] | None = None
) -> dict[str, CompiledRules]:
    """Return the compiled rules of every pack that has some, by the pack's id: promoted ones, else its folder's.

    Args:
        packs: folders.
        signs: that rules may refer to.
        places: that rules may apply to.
        released: id of a pack → the bundle that stands for its folder, as :func:`released_rules` finds them.

    Raises:
        ConfigurationError: listing what is wrong in packs or rules.
    """
    compiled = {}
    for folder in packs:
        pack = load_pack(folder)
        bundle = (released or {}).get(pack.header.id)
        if bundle is not None:
            compiled[pack.header.id] = compile_rules(RuleBundle.parse(bundle).load(signs, places))
        elif pack.rules.is_dir():
            procedures = load_procedures(pack.procedures)
            ruleset = load_rules(pack.rules, signs, places, procedures, timezone=pack.header.timezone)
            compiled[pack.header.id] = compile_rules(ruleset)
    return compiled


def released_rules(store: Store, releases_url: str | None) -> dict[str, bytes]:
    """Return the bundle of every rule set that was promoted, by the id of its pack.

    Raises:
        ConfigurationError: if one was, and no address of the releases is known.
        ArtefactError: if a released bundle is missing or damaged.
    """
    entries = store.ledger.rule_sets()
    if entries and releases_url is None:
        problem = Problem("releases_url", f"is not set, but {', '.join(entries)} was promoted.", "Set it.")
        title = "The runtime"
        raise ConfigurationError(title, [problem])
    found = {}
    for entry in entries.values():
        path = ReleaseStore(str(releases_url)).path(entry.manifest.sha256, Task.RULES)
        found[str(entry.manifest.metadata["pack"])] = path.read_bytes()
    return found


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

    See :func:`contracts.resolve_forecasters`. A model of another interval than the sign's is left out: the runtime
    decides at each reading, and such a model answers at other times. So is one that takes covariates or a network: the
    runtime knows readings alone.
    """
    champions = {name: entry.manifest for name, entry in store.ledger.champions().items()}
    intervals = {sign.id: sign.interval_s for sign in store.signs.all()}
    found = {}
    for sign, model in resolve_forecasters(champions, store.assignments.all()).items():
        spec = champions[model].forecast
        if spec is None or intervals.get(sign) != spec.interval_s:
            continue
        if spec.takes_readings_alone:
            found[sign] = Assignment(model, spec)
        else:
            logger.warning("%s takes more than readings: nothing forecasts %s for warnings", model, sign)
    return found
