"""The schema that editors use and the graph that other tools read."""

from __future__ import annotations

import io
import json
from pathlib import Path

import networkx as nx

from knowledge_graph import rule_graph, rule_schema, write_graphml

from .examples import UNDERPASS, loaded


def test_the_schema_knows_the_words_of_files() -> None:
    schema = json.loads(json.dumps(rule_schema()))
    assert set(schema["required"]) == {"id", "owner", "expert", "status", "risk", "leak", "horizon", "levels", "do"}
    assert {"<", ">=", "for", "night", "seen"} <= set(schema["$defs"]["SignWords"]["properties"])
    assert schema["additionalProperties"] is False


def test_graphml_reads_back_as_the_same_graph(tmp_path: Path) -> None:
    ruleset = loaded(tmp_path, UNDERPASS)
    graph = rule_graph(ruleset)
    again = nx.read_graphml(io.BytesIO(write_graphml(ruleset).encode()), force_multigraph=True)
    assert set(again.nodes) == set(graph.nodes)
    assert again.number_of_edges() == graph.number_of_edges()
    kinds = {data["kind"] for _, data in graph.nodes(data=True)}
    assert kinds == {
        "place",
        "risk",
        "cause",
        "inhibitor",
        "indicator",
        "sign",
        "standard",
        "action",
        "department",
        "expert",
    }
