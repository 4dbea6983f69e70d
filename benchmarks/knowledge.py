"""The knowledge graph against its goals: ``python -m benchmarks.knowledge --json``.

Peers (pyAgrum, clipspy, zen-engine, and pgmpy for its networks) live in an environment of their own, named by
``CITYFORGE_PEERS_KNOWLEDGE`` (default ``.venv-peers-knowledge``). Without it the keys that need a peer are null.
A key is null where nothing was measured.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.knowledge_past import measure_backtest
from benchmarks.knowledge_reload import measure_reload
from contracts import Evidence, EvidenceKind, KnowledgeError, Layer, load_pack
from knowledge_graph import (
    Beta,
    CompiledRules,
    DecisionTable,
    JunctionTree,
    LinkCounts,
    Network,
    Verdicts,
    compile_rules,
    infer_city,
    load_procedures,
    load_rules,
    make_table,
    run_mutations,
)
from knowledge_graph.learning import LEAK, calibration_error, probabilities
from knowledge_graph.tables import HitPolicy

ROOT = Path(__file__).parents[1]
PEERS = Path(__file__).with_name("knowledge_peers.py")
PACK = ROOT / "scenarios" / "construction" / "water_main"
_PLACES = 1_000_000
_MIB = 1024 * 1024
_PRESENT = 0.15
_ROUNDS, _RUNS = 5, 21
_MAXIMUM_CELLS = 20_000_000  # mildew and barley need more than the four million that a rule may


def main() -> None:
    """Run everything and print one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print only the last line")
    parser.add_argument("--cases", type=int, default=1000, help="evidence sets for each smaller network")
    arguments = parser.parse_args()
    result = {**_measure_networks(arguments.cases), **_measure_million(), **_measure_rules()}
    rules = _rules(PACK)
    result |= _measure_explanations(rules)
    result |= measure_backtest(PACK)
    result |= measure_reload(PACK)
    result |= {"mutation_score": _measure_mutations(), "ece_500": _measure_learning()}
    if not arguments.json:
        for key, value in result.items():
            print(f"{key:22} {value}")
    print(json.dumps(result))


def _peer_python() -> Path | None:
    folder = Path(os.environ.get("CITYFORGE_PEERS_KNOWLEDGE", ROOT / ".venv-peers-knowledge"))
    python = folder / "bin" / "python"
    return python if python.exists() else None


def _measure_networks(cases: int) -> dict[str, Any]:
    python = _peer_python()
    if python is None:
        return {
            "max_abs_error": None,
            "networks": None,
            "networks_refused": None,
            "alarm_speedup": None,
            "alarm_speedup_spread": None,
        }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([python, PEERS, "networks", folder, str(cases)], check=True)
        errors, refused = {}, []
        for path in sorted(folder.glob("*.json")):
            try:
                errors[path.stem] = _error(path)
            except KnowledgeError:
                refused.append(path.stem)
        speedups = _race(python, folder / "alarm.json")
    return {
        "max_abs_error": max(errors.values()),
        "networks": len(errors),
        "networks_refused": refused,
        "alarm_speedup": statistics.median(speedups),
        "alarm_speedup_spread": [min(speedups), max(speedups)],
    }


def _error(path: Path) -> float:
    """Return the largest difference of any posterior."""
    order, tree, likelihoods, batch = _read(path)
    arrays = np.load(path.with_suffix(".npz"))
    found = tree.infer(order, likelihoods, batch=batch)
    return max(float(np.abs(found.marginals[node] - arrays[f"marginal:{node}"]).max(initial=0)) for node in order)


def _race(python: Path, path: Path) -> list[float]:
    """Return how much faster a case is by rounds: the peer and ours in turn, so that both meet the same machine."""
    order, tree, likelihoods, batch = _read(path)
    ratios = []
    for _ in range(_ROUNDS):
        peer = subprocess.run(
            [python, PEERS, "clock", path.parent, path.stem], check=True, capture_output=True, text=True
        )
        ours = [_seconds(lambda: tree.infer(order, likelihoods, batch=batch)) for _ in range(_RUNS)]
        ratios.append(float(peer.stdout) / statistics.median(ours))
    return ratios


def _seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def _read(path: Path) -> tuple[list[str], JunctionTree, dict[str, Any], int]:
    """Return a network's nodes, its tree, the cases' evidence and how many cases there are."""
    facts = json.loads(path.read_text(encoding="utf-8"))
    arrays = np.load(path.with_suffix(".npz"))
    network = Network()
    for node in facts["order"]:
        table = arrays[f"table:{node}"]
        network.add(node, table / table.sum(axis=-1, keepdims=True), facts["parents"][node])
    tree = JunctionTree(network, maximum_cells=_MAXIMUM_CELLS)
    batch = len(facts["evidence"])
    likelihoods: dict[str, Any] = {}
    for case, given in enumerate(facts["evidence"]):
        for node, vector in given.items():
            array = likelihoods.setdefault(node, np.ones((network.states[node], batch)))
            array[:, case] = vector
    return facts["order"], tree, likelihoods, batch


def _measure_million() -> dict[str, Any]:
    """Infer a million places under one shared root, in a process of its own so that its memory is its own."""
    program = "from benchmarks.knowledge import infer_million; infer_million()"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT)
    return dict(json.loads(done.stdout))


def infer_million() -> None:
    """Print seconds and peak memory of inference over a million places with eight binary nodes."""
    network = Network()
    for name in ("storm", "blocked", "pump_out", "gate"):
        network.add_root(name, 0.1)
    network.add_noisy_or("any", {"storm": 0.6, "blocked": 0.3, "gate": 0.4}, 0.01)
    network.add_stops("risk", "any", {"pump_out": 0.5})
    network.add_indicator("camera", "risk", seen=0.9, otherwise=0.05)
    network.add_indicator("gauge", "risk", seen=0.95, otherwise=0.01)
    tree = JunctionTree(network, root="risk")
    random = np.random.default_rng(0)
    seen = {name: random.uniform(0.05, 1, size=(2, _PLACES)) for name in ("camera", "gauge", "blocked")}
    started = time.perf_counter()
    probability = infer_city(tree, "risk", {"storm": np.array([0.9, 0.1])}, seen, places=_PLACES).places
    seconds = time.perf_counter() - started
    if probability.shape != (_PLACES,):
        raise AssertionError
    print(json.dumps({"million_places_s": seconds, "million_places_mib": _peak_memory_mib()}))


def _peak_memory_mib() -> float:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / _MIB


def _measure_rules() -> dict[str, Any]:
    """Evaluate 100 rules over four facts a case with a trace of every cell; the peers get the same cases."""
    random = np.random.default_rng(1)
    inputs = [f"x{index}" for index in range(4)]
    bounds = np.sort(random.integers(0, 100, size=(100, 4, 2)), axis=-1)
    rows: list[dict[str, Any]] = []
    for row, ends in enumerate(bounds.tolist()):
        cells = {name: [low, high + 1] for name, (low, high) in zip(inputs, ends, strict=True)}
        rows.append({"outcome": f"r{row}", "cells": cells})
    written = [
        ({name: f"[{low}..{high})" for name, (low, high) in row["cells"].items()}, str(row["outcome"])) for row in rows
    ]
    table = make_table("traced", written, policy=HitPolicy.COLLECT)
    values = random.uniform(0, 100, size=(4, 20_000))
    facts_per_s = _facts_per_s(table, values)
    python = _peer_python()
    if python is None:
        return {"traced_facts_per_s": facts_per_s, "traced_vs_best_peer": None}
    cases = values[:, :2000].T.tolist()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        task = {"inputs": inputs, "rows": rows, "cases": cases}
        (folder / "rules.json").write_text(json.dumps(task), encoding="utf-8")
        subprocess.run([python, PEERS, "rules", folder], check=True)
        peers = json.loads((folder / "rules_peers.json").read_text(encoding="utf-8"))
    holds = table.decide(values[:, :2000]).holds
    ours = [sorted(rows[row]["outcome"] for row in np.flatnonzero(column)) for column in holds.T]
    for peer, answer in peers.items():
        if answer["hits"] != ours:
            message = f"{peer} finds other rules than we do"
            raise AssertionError(message)
    best = max(answer["facts_per_s"] for answer in peers.values())
    return {"traced_facts_per_s": facts_per_s, "traced_vs_best_peer": facts_per_s / best}


def _facts_per_s(table: DecisionTable, values: Any) -> float:
    best = math.inf
    for _ in range(3):
        started = time.perf_counter()
        for start in range(0, values.shape[1], 500):
            table.decide(values[:, start : start + 500])
        best = min(best, time.perf_counter() - started)
    return float(values.size / best)


def _measure_mutations() -> float:
    """Return the lowest share of mutations, over all installed packs, that a pack's own rule tests notice."""
    packs = [file.parent for file in sorted((ROOT / "scenarios").glob("*/*/pack.toml"))]
    return min(run_mutations(_rules(pack).ruleset).score for pack in packs if (pack / "rules").is_dir())


def _rules(folder: Path) -> CompiledRules:
    pack = load_pack(folder)
    procedures = load_procedures(pack.procedures)
    return compile_rules(load_rules(pack.rules, pack.signs, pack.places, procedures, timezone=pack.header.timezone))


def _measure_explanations(rules: CompiledRules) -> dict[str, Any]:
    """Explain random evidence; remove each named statement and compare with what the explanation said."""
    random = np.random.default_rng(2)
    (place,) = rules.places
    worst, seconds, count = 0.0, 0.0, 0
    for _ in range(200):
        facts, _memory = rules.watch({}, place, 0, {"water_main.flow": float(random.uniform(20, 110))})
        evidence = [
            Evidence(
                node=binding.node,
                place=place,
                kind=EvidenceKind.EXCEEDANCE if binding.use == "exceedance" else EvidenceKind.LIKELIHOOD,
                value=float(random.uniform(0.01, 1) if binding.use == "exceedance" else random.uniform(0.1, 500)),
                group=f"group-{random.integers(3)}",
                time_ms=0,
            )
            for binding in rules.bindings
        ]
        started = time.perf_counter()
        found = rules.assess(place, evidence, facts)
        seconds, count = seconds + time.perf_counter() - started, count + len(found)
        worst = max(worst, _deletion_error(rules, evidence, facts))
    return {"explanation_fidelity": worst, "explanation_ms": 1000 * seconds / count}


def _deletion_error(rules: CompiledRules, evidence: list[Evidence], facts: Any) -> float:
    (place,) = rules.places
    worst = 0.0
    for assessment in rules.assess(place, evidence, facts):
        for item in assessment.explanation.contributions:
            fewer = [other for other in evidence if other != item.evidence]
            fewer_facts = [fact for fact in facts if fact.node != item.node]
            again = rules.assess(place, fewer, fewer_facts)
            same = next(a for a in again if a.risk == assessment.risk and a.layer is Layer.EXPERIENCE)
            worst = max(worst, abs((same.probability or 0.0) - item.without))
    return worst


def _measure_learning() -> float:
    """Learn on 500 labels whose truth has drifted from the expert's numbers; judge on 20,000; mean of ten streams."""
    expert = {"rain": Beta(6, 4), "gate": Beta(4, 6), LEAK: Beta(1, 49)}
    truth = {"rain": 0.3, "gate": 0.7, LEAK: 0.05}
    errors = []
    for seed in range(10):
        random = np.random.default_rng(seed)
        learned, judged = (_stream(random, count, truth) for count in (500, 20_000))
        rates = LinkCounts(expert).learn(learned).rates()
        errors.append(calibration_error(probabilities(rates, judged.present), judged.came))
    return float(np.mean(errors))


def _stream(random: np.random.Generator, count: int, truth: dict[str, float]) -> Verdicts:
    present = {name: (random.uniform(size=count) < _PRESENT).astype(np.float64) for name in ("rain", "gate")}
    came = random.uniform(size=count) < probabilities(truth, present)
    return Verdicts(present, came, np.ones(count), np.arange(count))


if __name__ == "__main__":
    main()
