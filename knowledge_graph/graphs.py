"""The graph of a rule set as data that graph tools read."""

from __future__ import annotations

import io

import networkx as nx

from .ruleset import Rule, RuleSet


def rule_graph(ruleset: RuleSet) -> nx.MultiDiGraph:
    """Return the typed graph: signs, causes, inhibitors, risks, laws, procedures, departments, experts, places."""
    graph = nx.MultiDiGraph()
    for place in ruleset.places:
        graph.add_node(f"place:{place.id}", kind="place", title=place.name.zh)
    for place in ruleset.places:
        if place.parent is not None:
            graph.add_edge(f"place:{place.id}", f"place:{place.parent}", kind="within")
    for rule in ruleset.rules:
        _add_rule(graph, rule)
    return graph


def _add_rule(graph: nx.MultiDiGraph, rule: Rule) -> None:
    words = rule.words
    risk = rule.node(words.risk)
    graph.add_node(risk, kind="risk", title=rule.title.zh, status=str(words.status), version=words.version)
    for name, cause in words.causes.items():
        graph.add_node(rule.node(name), kind="cause", title=cause.title.zh if cause.title else name)
        strength = {"share": cause.rate} if cause.yes is not None else {"weight": cause.weight or 1.0}
        graph.add_edge(rule.node(name), risk, kind="causes", basis=cause.basis, **strength)
    for name, inhibitor in words.inhibits.items():
        graph.add_node(rule.node(name), kind="inhibitor", title=inhibitor.title.zh if inhibitor.title else name)
        graph.add_edge(rule.node(name), risk, kind="inhibits", share=inhibitor.rate, basis=inhibitor.basis)
    for name, entry in words.signs.items():
        if rule.node(name) not in graph:
            graph.add_node(rule.node(name), kind="indicator", title=name)
            graph.add_edge(rule.node(name), rule.node(entry.of or words.risk), kind="indicates")
        for place in rule.places:
            sign = rule.signs.get((place, name))
            if sign is not None:
                graph.add_node(f"sign:{sign}", kind="sign", title=sign)
                graph.add_edge(f"sign:{sign}", rule.node(name), key="feeds", kind="feeds")
        if entry.law is not None:
            law = words.laws.get(entry.law)
            graph.add_node(rule.node(f"law.{entry.law}"), kind="standard", title=law.cite if law else entry.law)
            graph.add_edge(rule.node(name), rule.node(f"law.{entry.law}"), kind="cites")
    for place in rule.places:
        graph.add_edge(risk, f"place:{place}", kind="covers")
    _add_people(graph, rule, risk)


def _add_people(graph: nx.MultiDiGraph, rule: Rule, risk: str) -> None:
    graph.add_node(f"action:{rule.procedure.id}", kind="action", title=rule.procedure.title.zh)
    graph.add_node(f"department:{rule.procedure.lead.en}", kind="department", title=rule.procedure.lead.zh)
    graph.add_node(f"expert:{rule.words.expert}", kind="expert", title=rule.words.expert)
    graph.add_edge(f"action:{rule.procedure.id}", risk, kind="responds")
    graph.add_edge(f"department:{rule.procedure.lead.en}", f"action:{rule.procedure.id}", kind="responds")
    graph.add_edge(risk, f"expert:{rule.words.expert}", kind="authored_by")


def write_graphml(ruleset: RuleSet) -> str:
    """Return the typed graph as GraphML."""
    buffer = io.BytesIO()
    nx.write_graphml(rule_graph(ruleset), buffer)
    return buffer.getvalue().decode("utf-8")
