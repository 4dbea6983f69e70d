"""What the main job must show, on the whole chain."""

import json
import re
import shutil
from math import log
from pathlib import Path
from typing import Any

import pytest

from benchmarks.demo import measure_serving
from benchmarks.interruption import measure_damage
from cityforge.demo import PACK
from cityforge.settings import adapt, load_settings
from cityforge.supervisor import Platform
from tests.chain.conftest import run_cityforge

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PNG = b"\x89PNG"


def test_the_drop_is_warned_at_its_first_reading(first_demo: dict[str, Any]):
    opened = {warning["opened_at"]: warning for warning in first_demo["warnings"]}
    assert "2022-04-27T13:00:00Z" in opened
    assert opened["2022-04-27T13:00:00Z"]["risk"] == "water_main.supply_loss"
    assert len(first_demo["warnings"]) <= 3


def test_the_reasons_sum_up_and_say_what_to_do(first_demo: dict[str, Any]):
    for warning in first_demo["warnings"]:
        explanation = warning["explanation"]
        before, after = (log(p / (1 - p)) for p in (explanation["prior"], explanation["posterior"]))
        weights = sum(part["weight"] for part in explanation["contributions"])
        assert before + weights == pytest.approx(after, abs=1e-9)
        assert warning["procedure"]["steps"]
        assert re.search("[一-鿿]", warning["title"]["zh"])
        assert not re.search("[一-鿿]", warning["title"]["en"])
        assert warning["procedure"]["lead"]["zh"]


def test_silence_is_grey_and_never_low_flow(first_demo: dict[str, Any]):
    days = {episode["opened_at"][:10] for episode in first_demo["blind"]}
    assert {"2022-04-24", "2022-04-25", "2022-05-10", "2022-05-11", "2022-05-12"} <= days
    assert {episode["peak_level"] for episode in first_demo["blind"]} == {"grey"}
    silent = [warning for warning in first_demo["warnings"] if warning["opened_at"][:10] in days]
    assert silent == []


def test_the_forecaster_beats_the_naive_ones_on_time_that_chose_nothing(first_demo: dict[str, Any]):
    figures = first_demo["report_figures"]
    assert figures["mae_ratio"] <= 0.85
    assert 0.85 <= figures["coverage_90"] <= 0.95


def test_the_champion_passed_its_gates_and_a_baseline_did_not(first_demo: dict[str, Any]):
    champion = next(one for one in first_demo["trained"] if one["version"] == first_demo["champion"]["version"])
    assert champion["passed"]
    assert champion["figures"]["onnx_parity"] <= 1e-5
    assert not all(one["passed"] for one in first_demo["trained"])


def test_picture_and_report_are_made(first_demo: dict[str, Any]):
    assert Path(first_demo["picture"]).read_bytes()[:4] == PNG
    report = Path(first_demo["report"]).read_text(encoding="utf-8")
    assert "为什么 Why" in report
    assert "http" not in re.sub(r"data:image/png;base64,[^\"]*", "", report)


def test_a_second_run_reuses_everything_and_says_the_same(first_demo: dict[str, Any], demo_folder: Path):
    run = run_cityforge(demo_folder, "demo", "--json")
    again = json.loads(run.stdout)
    assert all(one["reused"] for one in again["trained"])
    assert again["replayed"]["accepted"] == 0
    assert again["warnings"] == first_demo["warnings"]
    assert again["blind"] == first_demo["blind"]


def test_a_rejected_version_is_not_promoted_without_a_reason(first_demo: dict[str, Any], demo_folder: Path):
    rejected = next(one["version"] for one in first_demo["trained"] if not one["passed"])
    name = first_demo["champion"]["name"]
    home = str(demo_folder / ".cityforge" / "demo")
    refused = run_cityforge(demo_folder, "promote", name, "--version", str(rejected), "--json", CITYFORGE_HOME=home)
    assert refused.returncode != 0
    assert json.loads(refused.stdout)["error"]["type"] == "PromotionError"


def test_serving_is_lean(first_demo: dict[str, Any], demo_folder: Path):
    figures = measure_serving(demo_folder / ".cityforge" / "demo")
    assert figures["torch_in_serving"] is False
    assert figures["serving_rss_mib"] <= 250


def test_kill_9_loses_nothing_and_tells_nothing_twice(first_demo: dict[str, Any], demo_folder: Path, tmp_path: Path):
    damage = measure_damage(demo_folder / ".cityforge" / "demo", tmp_path)
    assert (damage.lost, damage.twice, damage.kills) == (0, 0, 3)
    assert damage.episodes >= len(first_demo["warnings"]) + len(first_demo["blind"])


def test_a_damaged_model_is_told_of_and_the_rules_go_on(first_demo: dict[str, Any], demo_folder: Path, tmp_path: Path):
    home = Path(shutil.copytree(demo_folder / ".cityforge" / "demo", tmp_path / "home"))
    for graph in (home / "releases").glob("*/model.onnx"):
        graph.write_bytes(graph.read_bytes()[:-100])
    settings = adapt(load_settings(start=tmp_path), home=home, port=0, open_access=True, clock="ticks", packs=(PACK,))
    told: list[str] = []
    with Platform(settings, report=told.append) as platform, platform.client() as client:
        assert not client.is_ready()
        (shard,) = client.status()["runtime"]
    assert shard["lag"] == 0
    assert any("does not answer" in line and "is damaged" in line for line in told)
    assert first_demo["champion"]["name"] in " ".join(told)
