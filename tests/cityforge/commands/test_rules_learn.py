"""Quiet cases are drawn, answered and learned from; what comes out is a copy of the pack and a diff, never a change."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from cityforge.settings import load_settings
from cityforge.workspace import Workspace
from contracts import load_pack
from knowledge_graph import load_procedures, load_rules
from tests.cityforge.conftest import Command
from tests.early_warning.worlds import PUMP, SUPPLY, write_pack
from tests.knowledge_graph.test_veterans import ANSWERS, TRUTHS

from .test_rules_backtest import readings

__all__ = ["readings"]
DAYS = 60


def write_year(file: Path) -> None:
    hours = [
        f"{PUMP},2024-{1 + d // 30:02d}-{1 + d % 30 % 28:02d}T{h:02d}:00:00Z,100"
        for d in range(DAYS)
        for h in range(24)
    ]
    file.write_text("\n".join(["sign,time,value", *dict.fromkeys(hours)]) + "\n", encoding="utf-8")


def test_from_audits_to_a_reviewable_proposal(cityforge: Command, project: Path) -> None:
    pack = write_pack(project / "pack")
    write_year(project / "year.csv")
    drawn = cityforge(
        "rules", "audit", pack, "--readings", "year.csv", "--share", "0.5", "--to", "audits.csv", "--json"
    )
    assert drawn.code == 0, drawn.err
    again = cityforge("rules", "audit", pack, "--readings", "year.csv", "--to", "audits.csv")
    assert again.code == 1
    assert "may hold answers" in again.err
    with Path("audits.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == drawn.data["cases"] > 100
    random = np.random.default_rng(0)
    for row in rows:
        row["came"] = "yes" if random.random() < 0.05 else "no"
    with Path("audits.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    before = (pack / "rules" / "supply.yaml").read_text(encoding="utf-8")
    learned = cityforge(
        "rules", "learn", pack, "--readings", "year.csv", "--audits", "audits.csv", "--to", "proposed", "--json"
    )
    assert learned.code == 0, learned.err
    (proposal,) = learned.data["proposals"]
    leak = next(change for change in proposal["changes"] if change["where"] == ["leak"])
    assert 0.02 < leak["yes"] / leak["of"] < 0.08
    assert proposal["brier_after"] < proposal["brier_before"]
    assert (pack / "rules" / "supply.yaml").read_text(encoding="utf-8") == before
    assert any(line.startswith("+leak:") for line in learned.data["diff"])
    assert learned.data["changes"][SUPPLY]["cases"] > 0
    proposed = load_pack(Path("proposed"))
    ruleset = load_rules(proposed.rules, proposed.signs, proposed.places, load_procedures(proposed.procedures))
    assert ruleset.rules[0].words.leak.basis.startswith(f"{len(rows)} verdicts until 2024-")


def test_without_judged_cases_nothing_is_proposed(cityforge: Command, project: Path, readings: Path) -> None:
    pack = write_pack(project / "pack")
    outcome = cityforge("rules", "learn", pack, "--readings", readings, "--to", "proposed")
    assert outcome.code == 1
    assert "only 0 cases were judged" in outcome.err
    assert not Path("proposed").exists()
    with Workspace(load_settings(None)) as workspace:
        assert workspace.store.ledger.rule_sets() == {}


def test_veterans_are_scored_from_files(cityforge: Command, project: Path) -> None:
    told = [
        f"{who},q{n},{low},{mid},{high}" for who, rows in ANSWERS.items() for n, (low, mid, high) in enumerate(rows)
    ]
    Path("answers.csv").write_text("\n".join(["veteran,question,low,median,high", *told]) + "\n", encoding="utf-8")
    truths = [f"{question},{truth}" for question, truth in TRUTHS.items()]
    Path("truths.csv").write_text("\n".join(["question,truth", *truths]) + "\n", encoding="utf-8")
    scored = cityforge("rules", "veterans", "answers.csv", "truths.csv", "--json")
    assert scored.code == 0, scored.err
    assert {one["veteran"]: one["weight"] for one in scored.data["veterans"]} == {"li": 0, "wang": 0, "zhao": 1}
    Path("truths.csv").write_text("question,truth\nq0,many\n", encoding="utf-8")
    assert cityforge("rules", "veterans", "answers.csv", "truths.csv").code == 2
