"""``cityforge train``."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import TaskID

from cityforge.invocation import Invocation, RefusedError
from cityforge.packs import find_pack, load_packs
from cityforge.tables import gates_table
from cityforge.workspace import Workspace
from contracts import ConfigurationError, Pack, Problem, load_pack
from registry import Registry
from training import Recipe, TrainingResult, load_recipe
from training import train as train_recipe

if TYPE_CHECKING:
    from training.vision import ClassifyRecipe, DetectRecipe, SegmentRecipe

    AnyRecipe = Recipe | DetectRecipe | SegmentRecipe | ClassifyRecipe


def train(
    invocation: Invocation,
    recipes: Annotated[
        list[str] | None,
        typer.Argument(help="Recipe files, or packs for all of theirs; default those of the settings' packs."),
    ] = None,
    *,
    promote: Annotated[
        bool, typer.Option("--promote", help="Make each version that passes its gates champion.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Train again what is trained already.")] = False,
) -> None:
    """Train, prove and register what recipes describe. What is already trained and unchanged is reused.

    All recipes are checked before the first is trained. Exit code 3 says that a version did not pass its gates.

    [bold]Examples[/bold]

        cityforge train recipes/ridge.toml
        cityforge train water_main --promote
    """
    with invocation.workspace() as workspace:
        loaded = load_recipes(find_recipes(workspace, recipes or []))
        workspace.import_packs(packs_of(loaded))
        results = train_all(invocation, workspace.registry, loaded, fits=workspace.home / "fits", force=force)
        promoted = promote_passed(workspace, results) if promote else []
    for result in results:
        reused = ", reused" if result.reused else ""
        invocation.show(gates_table(f"{result.name} version {result.version}{reused}", result.gates))
    for name in promoted:
        invocation.show(f"[green]{name} is champion.[/green]")
    invocation.result({"results": [asdict(result) for result in results], "promoted": promoted})
    refused = [result.name for result in results if not result.passed]
    if refused:
        message = (
            f"Registered as rejected, because a gate did not pass: {', '.join(refused)}. See `cityforge show NAME`."
        )
        raise RefusedError(message)


def find_recipes(workspace: Workspace, names: list[str]) -> list[Path]:
    """Return the recipe files that the names mean.

    Raises:
        ConfigurationError: listing every name that means none.
    """
    paths: list[Path] = []
    problems: list[Problem] = []
    base = workspace.settings.folder
    for name in names or workspace.settings.pack_names():
        if name.endswith(".toml"):
            paths.append(Path(name))
            continue
        found = [path for pack in load_packs((str(find_pack(name, base=base)),), base=base) for path in pack.recipes]
        if not found:
            problems.append(Problem(name, "has no recipe.", "Put one into its folder recipes/."))
        paths.extend(found)
    if not paths and not problems:
        problems.append(Problem("recipes", "none is named and no pack is set.", "Name a recipe file or a pack."))
    if problems:
        title = "The command"
        raise ConfigurationError(title, problems)
    return paths


def packs_of(recipes: list[AnyRecipe]) -> list[Pack]:
    """Return the packs in whose folder ``recipes/`` the recipes lie, so that their signs are known to the store."""
    folders = dict.fromkeys(recipe.folder.resolve().parent for recipe in recipes)
    return [load_pack(folder) for folder in folders if (folder / "pack.toml").is_file()]


def load_recipes(paths: list[Path]) -> list[AnyRecipe]:
    """Read recipes, and report the mistakes of all of them at once.

    Raises:
        ConfigurationError: listing every mistake of every recipe.
    """
    recipes: list[AnyRecipe] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            recipes.append(_load(path))
        except ConfigurationError as exc:
            problems.extend(Problem(f"{path.name}: {one.where}", one.message, one.remedy) for one in exc.problems)
    if problems:
        title = "The recipe" if len(paths) == 1 else "The recipes"
        raise ConfigurationError(title, problems)
    return recipes


def _load(path: Path) -> AnyRecipe:
    """Read a recipe of the task that it names; a file that cannot be read is reported by the forecaster's reader."""
    try:
        task = tomllib.loads(path.read_text(encoding="utf-8")).get("task", "forecast")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        task = "forecast"
    if task != "forecast":
        from training.vision import load_vision_recipe

        return load_vision_recipe(path)
    return load_recipe(path)


def _train(
    recipe: AnyRecipe, registry: Registry, folder: Path, *, progress: Callable[[str, float], None], force: bool
) -> TrainingResult:
    if isinstance(recipe, Recipe):
        return train_recipe(recipe, registry, folder=folder, progress=progress, force=force)
    from training.vision import ClassifyRecipe, train_classifier, train_detector

    if isinstance(recipe, ClassifyRecipe):
        return train_classifier(recipe, registry, folder, progress=progress, force=force)
    return train_detector(recipe, registry, folder, progress=progress, force=force)


def train_all(
    invocation: Invocation, registry: Registry, recipes: list[AnyRecipe], *, fits: Path, force: bool = False
) -> list[TrainingResult]:
    """Train recipes one after the other, each with a progress bar.

    Args:
        invocation: of the command.
        registry: where versions are registered.
        recipes: what to train.
        fits: folder in which fits work that go on after they were killed.
        force: train again what is trained already.
    """
    results = []
    with invocation.progress() as progress:
        for recipe in recipes:
            task = progress.add_task(recipe.name, total=100)

            def report(doing: str, share: float, task: TaskID = task, name: str = recipe.name) -> None:
                progress.update(task, description=f"{name}: {doing}", completed=round(100 * share))

            results.append(_train(recipe, registry, fits / recipe.name, progress=report, force=force))
            progress.update(task, completed=100)
    return results


def promote_passed(workspace: Workspace, results: list[TrainingResult]) -> list[str]:
    """Make the versions that passed their gates champion, and return their names."""
    passed = [result for result in results if result.passed]
    for result in passed:
        entry = workspace.registry.promote(result.name, result.version, workspace.settings.actor, reason="gates passed")
        workspace.assign_signs(entry.manifest)
    return [result.name for result in passed]
