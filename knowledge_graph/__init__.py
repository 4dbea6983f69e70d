"""What the veterans know: authored rules, exact inference, time operators, explanation.

Nothing here talks to a database, a model or a clock: readings, evidence and time are handed in.
"""

from __future__ import annotations

from .city import CityPosterior, infer_city
from .compiled import Assessment, Binding, CompiledRules, compile_rules
from .facts import Fact
from .junction import JunctionTree, Posterior
from .loading import CheckReport, check, load_procedures, load_rules
from .network import Network
from .ruleset import Rule, RuleSet
from .trials import TestReport, TestResult, run_rule_tests

__all__ = [
    "Assessment",
    "Binding",
    "CheckReport",
    "CityPosterior",
    "CompiledRules",
    "Fact",
    "JunctionTree",
    "Network",
    "Posterior",
    "Rule",
    "RuleSet",
    "TestReport",
    "TestResult",
    "check",
    "compile_rules",
    "infer_city",
    "load_procedures",
    "load_rules",
    "run_rule_tests",
]
