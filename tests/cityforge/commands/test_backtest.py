"""A recipe judged from the command line, with its report."""

from __future__ import annotations

from pathlib import Path

from benchmarks.drawn_panels import write_drawn_panel
from tests.cityforge.conftest import Command

RECIPE = """
name = "drawn.flow"
[data]
source = "panel"
path = "panel.parquet"
interval_s = 3600
[windows]
train = { start = 2024-01-01T00:00:00Z, end = 2024-01-20T00:00:00Z }
validation = { start = 2024-01-20T00:00:00Z, end = 2024-01-24T00:00:00Z }
gate = { start = 2024-01-24T00:00:00Z, end = 2024-01-28T00:00:00Z }
report = { start = 2024-01-28T00:00:00Z, end = 2024-02-01T00:00:00Z }
[forecast]
context = 72
horizon = 6
[model]
family = "ridge"
options = { season = 24, scaled = true, penalties = [0.1] }
"""


def test_a_recipe_is_judged_and_the_report_window_counts_its_openings(project: Path, cityforge: Command) -> None:
    write_drawn_panel(project / "panel.parquet", 5, 31 * 24, seed=2)
    (project / "flow.toml").write_text(RECIPE, encoding="utf-8")
    told = cityforge("backtest", "flow.toml", "--to", "out", "--json")
    assert told.code == 0, told.err
    found = told.data
    assert found["openings"] == []
    assert found["pooled"]["mase"] < 1
    assert found["pooled"]["owa"] < 1
    assert len(found["by_series"]) == 5
    assert len(found["by_horizon"]) == 6
    page = (project / "out" / "report.html").read_text(encoding="utf-8")
    assert "drawn.s00004" in page
    assert "打开" not in page
    assert {"mase_by_sign.png", "calibration.png", "by_series.csv"} <= {
        path.name for path in (project / "out").iterdir()
    }
    for count in (1, 2):
        again = cityforge("backtest", "flow.toml", "--window", "report", "--to", "told", "--json").data
        assert len(again["openings"]) == count
    assert "已打开 2 次" in (project / "told" / "report.html").read_text(encoding="utf-8")


def test_mistakes_are_named(project: Path, cityforge: Command) -> None:
    wrong = cityforge("backtest", "flow.toml", "--window", "test")
    assert wrong.code == 2
    assert "Choose train, validation, gate, report" in wrong.err
    assert cityforge("backtest", "flow.toml").code == 2
    assert "cannot be read" in cityforge("backtest", "flow.toml").err
