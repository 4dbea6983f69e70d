from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from contracts import ConfigurationError
from registry.environment import read_commit

from .conftest import FAILED, Workbench

GIT = shutil.which("git") or "git"


def artefact(bench: Workbench, run_id: str, path: str) -> str:
    return Path(bench.client.download_artifacts(run_id, path)).read_text(encoding="utf-8")


def test_everything_logged_stands_on_the_run(bench: Workbench) -> None:
    picture = bench.folder / "band.png"
    picture.write_bytes(b"\x89PNG")
    with bench.registry.run("water", "ridge", parameters={"penalty": 0.1, "lags": [1, 24]}, tags={"seed": "1"}) as run:
        run.log_metrics({"mae": 0.24})
        for step, value in enumerate([0.1, 0.2, 0.3], 1):
            run.log_metrics({"mae_by_horizon": value}, step=step)
        run.log_figure(picture)
        run.log_text("# 水务\n", "cards/model_card.md")
        run.log_json({"a": [1, None]}, "report.json")
        run.log_dataset("flow", "a" * 64, rows=1157, source="river", context="train")
        run.log_dataset("flow", "b" * 64, rows=240, context="gate")
        run.log_verdict(FAILED)
    found = bench.client.get_run(run.id)
    assert found.info.status == "FINISHED"
    assert found.data.params == {"penalty": "0.1", "lags": "[1, 24]"}
    assert found.data.metrics["mae"] == 0.24
    history = bench.client.get_metric_history(run.id, "mae_by_horizon")
    assert [(point.step, point.value) for point in history] == [(1, 0.1), (2, 0.2), (3, 0.3)]
    assert found.data.metrics["gate.latency.value"] == 40.0
    assert found.data.metrics["gate.latency.limit"] == 20.0
    assert found.data.tags["verdict"] == "failed"
    assert found.data.tags["gate.parity"].startswith("passed: 1e-07 relative error")
    assert found.data.tags["data.gate.sha256"] == "b" * 64
    assert artefact(bench, run.id, "cards/model_card.md") == "# 水务\n"
    assert json.loads(artefact(bench, run.id, "verdict.json"))["gates"][1]["passed"] is False
    assert "mlflow==" in artefact(bench, run.id, "environment.txt")
    assert [file.path for file in bench.client.list_artifacts(run.id, "figures")] == ["figures/band.png"]
    assert len(found.inputs.dataset_inputs) == 2


def test_a_run_that_raises_is_failed_and_says_why(bench: Workbench) -> None:
    with pytest.raises(ZeroDivisionError), bench.registry.run("water", "broken", parameters={}) as run:  # noqa: PT012
        run.log_metrics({"mae": 1.0})
        1 / 0  # noqa: B018
    found = bench.client.get_run(run.id)
    assert found.info.status == "FAILED"
    assert found.data.tags["error"] == "ZeroDivisionError: division by zero"
    assert found.data.metrics == {"mae": 1.0}


def test_an_interrupted_run_is_killed(bench: Workbench) -> None:
    with pytest.raises(KeyboardInterrupt), bench.registry.run("water", "stopped", parameters={}) as run:
        raise KeyboardInterrupt
    assert bench.client.get_run(run.id).info.status == "KILLED"


def test_runs_may_be_nested_and_interleaved(bench: Workbench) -> None:
    with (
        bench.registry.run("water", "outer", parameters={"a": 1}) as outer,
        bench.registry.run("water", "inner", parameters={"a": 2}) as inner,
    ):
        inner.log_metrics({"mae": 2.0})
        outer.log_metrics({"mae": 1.0})
    assert [bench.client.get_run(run.id).data.metrics["mae"] for run in (outer, inner)] == [1.0, 2.0]


def test_more_parameters_and_metrics_than_a_batch_holds(bench: Workbench) -> None:
    with bench.registry.run("water", "wide", parameters={f"p{i}": i for i in range(250)}) as run:
        run.log_metrics({f"m{i}": float(i) for i in range(1500)})
        run.set_tags({f"t{i}": str(i) for i in range(150)})
    found = bench.client.get_run(run.id).data
    assert (len(found.params), len(found.metrics)) == (250, 1500)
    assert found.tags["t149"] == "149"


@pytest.mark.parametrize("name", ["weights.pkl", "model.PT", "model.joblib"])
def test_pickles_are_refused(bench: Workbench, name: str) -> None:
    file = bench.folder / name
    file.write_bytes(b"")
    with bench.registry.run("water", "x", parameters={}) as run, pytest.raises(ConfigurationError, match="run code"):
        run.log_artifact(file)


def test_artefacts_stay_inside_the_run(bench: Workbench) -> None:
    with bench.registry.run("water", "x", parameters={}) as run:
        for path in ("../x.md", "/x.md", "a/../../x.md"):
            with pytest.raises(ConfigurationError, match="cannot be the path of an artefact"):
                run.log_text("x", path)
        with pytest.raises(ConfigurationError, match="there is no such file"):
            run.log_artifact(bench.folder / "nowhere.txt")
        with pytest.raises(ConfigurationError, match="is no picture"):
            run.log_figure(bench.folder / "mlflow.db")
        with pytest.raises(ConfigurationError, match="is no JSON"):
            run.log_json({"x": float("nan")}, "x.json")


def test_an_experiment_needs_a_safe_name(bench: Workbench) -> None:
    with (
        pytest.raises(ConfigurationError, match="no valid experiment name"),
        bench.registry.run("../water", "x", parameters={}),
    ):
        pass


def test_the_commit_and_its_changes_are_read(tmp_path: Path) -> None:
    assert read_commit(tmp_path) is None

    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run([GIT, "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True)

    git("init", "-q")
    assert read_commit(tmp_path) is None  # no commit yet
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-q", "-m", "x")
    commit = read_commit(tmp_path)
    assert commit is not None
    assert (len(commit.sha), commit.dirty) == (40, False)
    (tmp_path / "a").write_text("2")
    changed = read_commit(tmp_path)
    assert changed is not None
    assert changed.dirty
