"""One risk's graph: its roots, the risk and its indicators, built from a rule and compiled once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .authoring import SignWords
from .full_tables import full_table, ranked_risk
from .junction import JunctionTree
from .network import Network, net_strength
from .ruleset import Rule

STATUTORY_RATIO = 1000.0
"""What a fulfilled statutory condition tells the experience layer: water at the closing depth is water."""


@dataclass(frozen=True, slots=True)
class Template:
    """One risk's compiled graph; the same for every place.

    Attributes:
        rule: the rule it was built from.
        network: its graph.
        tree: ready for inference; its root holds the risk.
        priors: root → prior probability.
        targets: entry whose evidence is a ratio → the node it tells about.
    """

    rule: Rule
    network: Network
    tree: JunctionTree
    priors: Mapping[str, float]
    targets: Mapping[str, str]

    @property
    def risk(self) -> str:
        """Name of the risk's node."""
        return self.rule.words.risk

    def log_odds(
        self,
        likelihoods: Mapping[str, NDArray[np.float64]],
        priors: Mapping[str, NDArray[np.float64]],
        batch: int,
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the risk's log-odds for a batch of evidence, and where that evidence is possible at all."""
        found = self.tree.infer([self.risk], likelihoods, priors, batch=batch)
        no, yes = np.maximum(found.marginals[self.risk], np.finfo(np.float64).tiny)
        return np.log(yes) - np.log(no), np.isfinite(found.log_likelihood)


def build_template(rule: Rule) -> Template:
    """Build and compile the graph of one rule.

    Raises:
        KnowledgeError: if it does not fit the treewidth budget.
    """
    words = rule.words
    network = Network()
    priors: dict[str, float] = {}
    stated = {name: root.prior for name, root in words.causes.items()}
    stated |= {name: root.prior for name, root in words.inhibits.items()}
    for name, own in stated.items():
        entry = words.signs.get(name)
        prior = own or (entry.prior if entry is not None else None)
        priors[name] = prior.rate if prior is not None else 0.0
        network.add_root(name, priors[name])
    _add_risk(network, rule)
    targets = {}
    for name, entry in words.signs.items():
        if entry.seen is not None and entry.otherwise is not None:
            network.add_indicator(name, entry.of or words.risk, seen=entry.seen.rate, otherwise=entry.otherwise.rate)
        elif name not in priors and (entry.brought is not None or entry.law is not None):
            targets[name] = entry.of or words.risk
    return Template(rule, network, JunctionTree(network, root=words.risk, bitwise=True), priors, targets)


def _add_risk(network: Network, rule: Rule) -> None:
    words = rule.words
    leak = words.leak.rate
    links = {
        name: net_strength(cause.rate, leak) if cause.reading == "compound" else cause.rate
        for name, cause in words.causes.items()
    }
    stops = {name: inhibitor.rate for name, inhibitor in words.inhibits.items()}
    effect = f"{words.risk}~unstopped" if stops else words.risk
    if words.combine == "ranked" and words.ranked is not None:
        weights = {name: cause.weight or 1.0 for name, cause in words.causes.items()}
        network.add(effect, ranked_risk(list(weights.values()), leak, words.ranked), list(weights))
    elif words.combine == "table":
        network.add(effect, full_table(list(words.causes), words.table, leak), list(words.causes))
    elif words.combine == "all":
        network.add_noisy_and(effect, links, leak)
    else:
        network.add_noisy_or(effect, links, leak)
    if stops:
        network.add_stops(words.risk, effect, stops)


def group_of(entry: SignWords | None, sign: str | None, node: str) -> str:
    """Return the source group of an entry: as written, else the sign it comes from, else the node itself."""
    if entry is not None and entry.group is not None:
        return entry.group
    return sign or node
