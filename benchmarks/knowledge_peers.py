"""The peers' side of the knowledge benchmark; runs in an environment of their own (`make peers-knowledge`).

Usage: python knowledge_peers.py networks FOLDER CASES | clock FOLDER NETWORK | rules FOLDER. It imports nothing of
this project; arrays go through ``.npz`` files and facts through JSON.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

# Where a BIF file names states: a variable's list, and the parents' states before a row.
_STATES = re.compile(r"(type discrete \[\s*\d+\s*\] \{)([^}]*)(\})|(^\s*\()([^)]*)(\))", re.MULTILINE)
SMALL = (
    "asia",
    "cancer",
    "earthquake",
    "survey",
    "sachs",
    "child",
    "alarm",
    "hailfinder",
    "hepar2",
    "win95pts",
    "andes",
)
LARGE = ("mildew", "barley", "munin1")
_LARGE_CASES = 20
_SEED = 20260701


def networks(folder: Path, cases: int) -> None:
    """Infer random evidence sets on pgmpy's example networks with pyAgrum's LazyPropagation."""
    spec = find_spec("pgmpy")
    if spec is None or spec.origin is None:
        sys.exit("pgmpy is not installed here")
    source = Path(spec.origin).parent / "utils" / "example_models"
    for name in (*SMALL, *LARGE):
        plain = folder / f"{name}.bif"
        text = gzip.decompress((source / f"{name}.bif.gz").read_bytes()).decode()
        plain.write_text(_STATES.sub(_plain_states, text), encoding="utf-8")
        network = _load(plain)
        count = cases if name in SMALL else _LARGE_CASES
        _dump(folder, name, network, 0 if name == "munin1" else count)


def clock(folder: Path, name: str) -> None:
    """Print the seconds that the cases of a network which :func:`networks` wrote take now."""
    facts = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    _, seconds = _infer(_load(folder / f"{name}.bif"), facts["order"], facts["evidence"])
    print(seconds)


def _load(path: Path) -> Any:
    import pyagrum

    network = pyagrum.loadBN(str(path))
    for node in network.nodes():
        network.cpt(node).normalizeAsCPT()  # the files' rows sum to one within 1e-7 only
    return network


def _plain_states(found: re.Match[str]) -> str:
    """Give states names that pyAgrum's reader takes: letters, digits and underscores, beginning with a letter."""
    before, names, after = [part for part in found.groups() if part is not None]
    plain = ["s" + re.sub(r"\W", lambda sign: f"_{ord(sign[0]):x}_", name.strip()) for name in names.split(",")]
    return f"{before} {', '.join(plain)} {after}"


def _dump(folder: Path, name: str, network: Any, cases: int) -> None:
    order = [network.variable(node).name() for node in network.topologicalOrder()]
    arrays: dict[str, np.ndarray] = {}
    parents = {}
    for node in order:
        table = network.cpt(node)
        names = [table.variable(axis).name() for axis in range(table.nbrDim())]
        values = np.asarray(table.toarray()).reshape(
            [table.variable(a).domainSize() for a in reversed(range(len(names)))]
        )
        axes = names[::-1]  # pyAgrum's last axis is the first variable
        parents[node] = [other for other in axes if other != node]
        arrays[f"table:{node}"] = np.moveaxis(values, axes.index(node), -1)
    random = np.random.default_rng(_SEED)
    evidence = [_evidence(network, order, arrays, parents, random) for _ in range(cases)]
    marginals, _ = _infer(network, order, evidence)
    arrays |= {f"marginal:{node}": values for node, values in marginals.items()}
    np.savez(folder / f"{name}.npz", **arrays)
    facts = {"order": order, "parents": parents, "evidence": evidence}
    (folder / f"{name}.json").write_text(json.dumps(facts), encoding="utf-8")


def _infer(
    network: Any, order: list[str], evidence: list[dict[str, list[float]]]
) -> tuple[dict[str, np.ndarray], float]:
    import pyagrum

    engine = pyagrum.LazyPropagation(network)
    marginals = {node: np.empty((network.variable(node).domainSize(), len(evidence))) for node in order}
    started = time.perf_counter()
    for case, given in enumerate(evidence):
        engine.setEvidence(given)
        engine.makeInference()
        for node in order:
            marginals[node][:, case] = engine.posterior(node).toarray()
    return marginals, time.perf_counter() - started


def _evidence(
    network: Any,
    order: list[str],
    arrays: dict[str, np.ndarray],
    parents: dict[str, list[str]],
    random: np.random.Generator,
) -> dict[str, list[float]]:
    """Draw a case that can happen; observe a tenth of its nodes and give a likelihood on another tenth."""
    drawn: dict[str, int] = {}
    for node in order:
        row = arrays[f"table:{node}"][tuple(drawn[parent] for parent in parents[node])]
        drawn[node] = int(random.choice(row.size, p=row / row.sum()))
    count = max(1, len(order) // 10)
    chosen = [str(node) for node in random.choice(order, size=min(2 * count, len(order)), replace=False)]
    given = {}
    for position, node in enumerate(chosen):
        size = network.variable(node).domainSize()
        hard = [float(state == drawn[node]) for state in range(size)]
        given[node] = hard if position < count else [float(value) for value in random.uniform(0.05, 1, size=size)]
    return given


def rules(folder: Path) -> None:
    """Evaluate the table of ``rules.json`` with zen-engine (trace on) and clipspy; write facts per second."""
    task = json.loads((folder / "rules.json").read_text(encoding="utf-8"))
    result = {"zen-engine": _zen(task), "clipspy": _clips(task)}
    (folder / "rules_peers.json").write_text(json.dumps(result), encoding="utf-8")


def _zen(task: dict[str, Any]) -> dict[str, Any]:
    import zen

    inputs = [{"id": name, "name": name, "field": name} for name in task["inputs"]]
    lines = [
        {
            "_id": f"r{index}",
            "out": f"'{row['outcome']}'",
            **{name: f"[{low}..{high})" for name, (low, high) in row["cells"].items()},
        }
        for index, row in enumerate(task["rows"])
    ]
    content = {"hitPolicy": "collect", "inputs": inputs, "rules": lines}
    content["outputs"] = [{"id": "out", "name": "out", "field": "out"}]
    at = {"x": 0, "y": 0}
    graph = {
        "nodes": [
            {"id": "in", "type": "inputNode", "name": "in", "position": at},
            {"id": "t", "type": "decisionTableNode", "name": "t", "position": at, "content": content},
            {"id": "o", "type": "outputNode", "name": "o", "position": at},
        ],
        "edges": [
            {"id": "a", "sourceId": "in", "targetId": "t", "type": "edge"},
            {"id": "b", "sourceId": "t", "targetId": "o", "type": "edge"},
        ],
    }
    decision = zen.ZenEngine().create_decision(json.dumps(graph))
    hits = []
    started = time.perf_counter()
    for case in task["cases"]:
        answer = decision.evaluate(dict(zip(task["inputs"], case, strict=True)), {"trace": True})
        hits.append(sorted(line["out"] for line in answer["result"]))
    seconds = time.perf_counter() - started
    return {"facts_per_s": len(task["cases"]) * len(task["inputs"]) / seconds, "hits": hits}


def _clips(task: dict[str, Any]) -> dict[str, Any]:
    import clips

    environment = clips.Environment()
    slots = " ".join(f"(slot {name} (type FLOAT))" for name in task["inputs"])
    environment.build(f"(deftemplate case {slots})")
    environment.build("(deftemplate hit (slot row) (multislot because))")
    for row in task["rows"]:
        tests = "".join(
            f" ({name} ?{name}&:(>= ?{name} {float(low)})&:(< ?{name} {float(high)}))"
            for name, (low, high) in row["cells"].items()
        )
        because = " ".join(f"?{name}" for name in row["cells"])
        rule = f"(defrule {row['outcome']} (case{tests}) => (assert (hit (row {row['outcome']}) (because {because}))))"
        environment.build(rule)
    template = environment.find_template("case")
    hits = []
    started = time.perf_counter()
    for case in task["cases"]:
        environment.reset()
        template.assert_fact(**dict(zip(task["inputs"], case, strict=True)))
        environment.run()
        hits.append(sorted(str(fact["row"]) for fact in environment.facts() if fact.template.name == "hit"))
    seconds = time.perf_counter() - started
    return {"facts_per_s": len(task["cases"]) * len(task["inputs"]) / seconds, "hits": hits}


if __name__ == "__main__":
    if sys.argv[1] == "networks":
        networks(Path(sys.argv[2]), int(sys.argv[3]))
    elif sys.argv[1] == "clock":
        clock(Path(sys.argv[2]), sys.argv[3])
    else:
        rules(Path(sys.argv[2]))
