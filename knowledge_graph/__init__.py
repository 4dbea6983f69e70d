"""What the veterans know: authored rules, exact inference, time operators, explanation.

Nothing here talks to a database, a model or a clock: readings, evidence and time are handed in.
"""

from __future__ import annotations

from .bowtie import BowTie, Box, Detail, bow_tie
from .bundles import RuleBundle
from .cases import CaseChange, CaseReport, PastCase, compare_cases, read_cases
from .checking import NextCheck
from .city import CityPosterior, infer_city
from .comparing import Change, compare_rules
from .compiled import Assessment, Binding, CompiledRules, compile_rules
from .coverage import LevelCoverage, cover_levels
from .exchange import read_dmn, read_sheet, write_dmn, write_sheet
from .facts import Fact
from .formatting import format_document
from .graphs import rule_graph, write_graphml
from .interview import Interview
from .interview_draft import Written
from .interview_words import Question
from .junction import JunctionTree, Posterior
from .learning import Beta, LinkCounts, Verdicts
from .loading import CheckReport, check, check_text, load_procedures, load_rules
from .mutations import Mutant, MutationReport, run_mutations
from .network import Network
from .ruleset import Rule, RuleSet
from .schema import (
    PROCEDURE_SCHEMA,
    RULE_SCHEMA,
    SCHEMA_FOLDER,
    procedure_schema,
    rule_schema,
    schema_text,
    with_modeline,
)
from .sweep import RuleSweep, Swept
from .tables import DecisionTable, HitPolicy, make_table
from .tracing import Step, trace_backward, trace_forward
from .trials import TestReport, TestResult, play, run_rule_tests
from .workbooks import apply_workbook, put_table, write_workbook

__all__ = [
    "apply_workbook",
    "put_table",
    "write_workbook",
    "LevelCoverage",
    "cover_levels",
    "BowTie",
    "Box",
    "CaseChange",
    "CaseReport",
    "Change",
    "Detail",
    "PastCase",
    "bow_tie",
    "compare_cases",
    "compare_rules",
    "read_cases",
    "Interview",
    "Written",
    "NextCheck",
    "Question",
    "rule_graph",
    "rule_schema",
    "write_graphml",
    "Assessment",
    "Beta",
    "Binding",
    "CheckReport",
    "CityPosterior",
    "CompiledRules",
    "DecisionTable",
    "Fact",
    "HitPolicy",
    "JunctionTree",
    "LinkCounts",
    "Mutant",
    "MutationReport",
    "Network",
    "Posterior",
    "Rule",
    "RuleBundle",
    "RuleSet",
    "RuleSweep",
    "Swept",
    "TestReport",
    "TestResult",
    "Verdicts",
    "check",
    "check_text",
    "play",
    "format_document",
    "PROCEDURE_SCHEMA",
    "RULE_SCHEMA",
    "SCHEMA_FOLDER",
    "procedure_schema",
    "with_modeline",
    "schema_text",
    "compile_rules",
    "infer_city",
    "load_procedures",
    "load_rules",
    "make_table",
    "read_dmn",
    "read_sheet",
    "run_mutations",
    "run_rule_tests",
    "Step",
    "trace_backward",
    "trace_forward",
    "write_dmn",
    "write_sheet",
]
