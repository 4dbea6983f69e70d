"""What runs day and night: the warning runtime, its backtest, and what it tells of itself."""

from __future__ import annotations

from .backtest import Backtest, backtest
from .configuration import assign, compile_packs, configure, read_policy, released_rules
from .questions import Answer, LocalModels, Respondent
from .rule_backtest import Past, RuleBacktest, backtest_rules
from .runtime import run_runtime
from .settings import RuntimeSettings, read_settings
from .silence import Finding, explain_silence
from .status import RuntimeStatus, runtime_status

__all__ = [
    "Answer",
    "Backtest",
    "Finding",
    "LocalModels",
    "Past",
    "Respondent",
    "RuleBacktest",
    "RuntimeSettings",
    "RuntimeStatus",
    "assign",
    "backtest",
    "backtest_rules",
    "compile_packs",
    "configure",
    "explain_silence",
    "read_policy",
    "read_settings",
    "released_rules",
    "run_runtime",
    "runtime_status",
]
