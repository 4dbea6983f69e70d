from __future__ import annotations

from pathlib import Path

import pytest

from contracts import Action, ConfigurationError
from early_warning import WarningPolicy
from operations import RuntimeSettings, assign, configure, read_policy, read_settings, runtime_status
from tests.early_warning.worlds import MODEL, OTHER, PUMP, write_pack

from .conftest import Site, manifest


def test_a_champion_forecasts_the_signs_it_names(site: Site) -> None:
    assert {sign: one.model for sign, one in assign(site.store).items()} == {PUMP: MODEL, OTHER: MODEL}


def test_of_several_champions_an_assignment_chooses(site: Site) -> None:
    site.store.ledger.append(Action.PROMOTE, manifest(name="second", signs=(PUMP,)), "test")
    assert {sign: one.model for sign, one in assign(site.store).items()} == {OTHER: MODEL}
    site.store.assignments.put(PUMP, "second")
    assert assign(site.store)[PUMP].model == "second"
    site.store.assignments.put(OTHER, "nobody")
    assert OTHER not in assign(site.store)


def test_a_champion_that_takes_covariates_is_not_asked_for_warnings(site: Site) -> None:
    plain = manifest(name="roads", signs=(PUMP,))
    assert plain.forecast is not None
    spec = plain.forecast.model_copy(update={"static": ("lanes",)})
    site.store.ledger.append(Action.PROMOTE, plain.model_copy(update={"forecast": spec}), "test")
    site.store.assignments.put(PUMP, "roads")
    assert PUMP not in assign(site.store)


def test_the_engine_is_told_everything(site: Site) -> None:
    configuration = configure(site.store, site.settings.packs)
    assert set(configuration.rules) == {"test.pump"}
    assert PUMP in configuration.signs
    assert configuration.policy == WarningPolicy()


def test_a_pack_may_bring_the_policy(tmp_path: Path) -> None:
    one, two = write_pack(tmp_path / "one"), write_pack(tmp_path / "two")
    (one / "policy.toml").write_text("release = 0.7\n[budget]\nper_risk = 3\n", encoding="utf-8")
    policy = read_policy([one, two])
    assert (policy.release, policy.budget.per_risk) == (0.7, 3)
    (two / "policy.toml").write_text("release = 0.6\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="a shard has one policy"):
        read_policy([one, two])
    (two / "policy.toml").write_text("relase = 2\nincident_s = -1\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="2 problems"):
        read_policy([one, two])
    (two / "policy.toml").write_text("release =", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_policy([one, two])


def test_settings_come_from_the_environment() -> None:
    text = '{"store_url": "sqlite:///x.db", "serving_key": "k", "packs": ["a"]}'
    settings = read_settings({"CITYFORGE_RUNTIME": text})
    assert settings.packs == (Path("a"),)
    assert "x.db" not in repr(settings)
    assert "'k'" not in repr(settings)
    with pytest.raises(ConfigurationError, match="is not set"):
        read_settings({})
    with pytest.raises(ConfigurationError, match="Invalid JSON"):
        read_settings({"CITYFORGE_RUNTIME": "{"})


def test_a_runtime_that_never_started_has_no_status(site: Site) -> None:
    assert runtime_status(site.store) is None


def test_the_clock_is_one_of_two() -> None:
    with pytest.raises(ValueError, match="clock"):
        RuntimeSettings.model_validate({"store_url": "sqlite:///x.db", "clock": "sundial"})
