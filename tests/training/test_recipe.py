from __future__ import annotations

from pathlib import Path

import pytest

from contracts import ConfigurationError
from training import load_recipe, parse_recipe

from .recipes import TABLE, table

PACK = Path(__file__).parents[2] / "scenarios" / "construction" / "water_main"


@pytest.mark.parametrize("path", sorted((PACK / "recipes").glob("*.toml")), ids=lambda path: path.stem)
def test_recipes_of_the_pack_are_whole(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.name == "water_main.flow"
    assert recipe.spec.interval_s == 3600
    assert recipe.spec.unit == "l/s"


def test_every_mistake_is_reported_at_once(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(
        """
        name = "two words"
        [data]
        source = "river.WaterFlow"
        [windows]
        train = { start = 2022-03-20T00:00:00Z, end = 2022-04-05T00:00:00Z }
        validation = { start = 2022-04-10T00:00:00Z, end = 2022-04-05T00:00:00Z }
        gate = { start = 2022-04-10T00:00:00Z, end = 2022-04-20T00:00:00Z }
        report = { start = 2022-04-20T00:00:00Z, end = 2022-05-17T00:00:00Z }
        [forecast]
        context = 0
        horizon = 6
        [model]
        family = "rigde"
        [fitting]
        epocs = 3
        """
    )
    with pytest.raises(ConfigurationError, match=r"wrong\.toml' has 5 problems") as caught:
        load_recipe(path)
    told = str(caught.value)
    for part in ("two words", "windows.validation", "forecast.context", "rigde", "ridge", "fitting.epocs"):
        assert part in told


def test_options_of_the_family_are_checked_too() -> None:
    wrong = table(model={"family": "ridge", "options": {"penalty": 3, "blend": 0}})
    with pytest.raises(ConfigurationError, match="has 2 problems") as caught:
        parse_recipe(wrong, "The recipe", Path())
    assert "penalty" in str(caught.value)
    assert "blend" in str(caught.value)


def test_windows_must_follow_each_other() -> None:
    wrong = table(windows={"gate": {"start": "2024-01-18T00:00:00Z", "end": "2024-01-25T00:00:00Z"}})
    with pytest.raises(ConfigurationError, match="after the next one starts"):
        parse_recipe(wrong, "The recipe", Path())


def test_quantiles_are_checked_with_the_spec() -> None:
    wrong = table(forecast={"quantiles": [0.1, 0.9]})
    with pytest.raises(ConfigurationError, match=r"hold 0\.5"):
        parse_recipe(wrong, "The recipe", Path())


def test_a_file_that_cannot_be_read_is_one_problem(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_recipe(tmp_path / "absent.toml")


def test_fingerprint_follows_settings_and_not_the_folder() -> None:
    recipe = parse_recipe(TABLE, "one", Path("a"))
    assert parse_recipe(TABLE, "two", Path("b")).fingerprint == recipe.fingerprint
    other = parse_recipe(table(fitting={"seed": 8}), "three", Path("a"))
    assert other.fingerprint != recipe.fingerprint
