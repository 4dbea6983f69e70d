"""Changed numbers leave every other character where it stood."""

from __future__ import annotations

import pytest

from contracts import KnowledgeError
from knowledge_graph.revising import revise

TEXT = """# what a veteran said
id: test.rule
causes:
  rain: {yes: 6, of: 10, prior: {yes: 1, of: 300}}  # of ten such rains
  gate:
    yes: 4  # of ten
    of: 10
leak: {yes: 1, of: 500, basis: E}
"""


def test_only_the_named_values_change_and_a_missing_basis_is_added() -> None:
    found = revise(
        TEXT,
        {
            ("causes", "rain", "yes"): 7.25,
            ("causes", "rain", "basis"): "40 verdicts",
            ("causes", "gate", "of"): 12.0,
            ("causes", "gate", "basis"): "40 verdicts: mostly",
            ("leak", "basis"): "Annual report",
        },
    )
    expected = TEXT.replace("yes: 6", "yes: 7.25").replace("of: 300}}", 'of: 300}, basis: "40 verdicts"}')
    expected = expected.replace("    of: 10\n", '    of: 12\n    basis: "40 verdicts: mostly"\n')
    assert found == expected.replace("basis: E", 'basis: "Annual report"')


@pytest.mark.parametrize("where", [("causes", "wind", "yes"), ("id", "yes"), ("causes",)])
def test_a_location_that_leads_nowhere_is_refused(where: tuple[str, ...]) -> None:
    with pytest.raises(KnowledgeError, match="is no value of the rule file"):
        revise(TEXT, {where: 1.0})
