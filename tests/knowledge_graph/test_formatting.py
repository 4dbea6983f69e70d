"""One canonical form: idempotent, saying the same, losing no comment."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import Problem
from knowledge_graph.documents import parse_document
from knowledge_graph.formatting import LINE_WIDTH, format_document
from knowledge_graph.manuscript import comments_of

from .examples import UNDERPASS

SCENARIOS = Path(__file__).parents[2] / "scenarios"
PACK_FILES = sorted([*SCENARIOS.glob("*/*/rules/*.yaml"), *SCENARIOS.glob("*/*/procedures.yaml")])


def formatted(text: str) -> str:
    problems: list[Problem] = []
    found = format_document("rule.yaml", text, problems)
    assert problems == []
    assert found is not None
    assert format_document("rule.yaml", found, problems) == found
    return found


@pytest.mark.parametrize("path", PACK_FILES, ids=lambda path: "/".join(path.parts[-3:]))
def test_installed_packs_are_in_canonical_form(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert formatted(text) == text


ODD = """\

# yaml-language-server: $schema=x.json

# Header.
do: SOP # tail
signs:  # the signs
# at the margin
  b: {source: x, ">": 3,   # why three
      for: '3min'}   # after the brace
  a:
    source: "yes"
    reason: {en: "a: b", zh: 'a'}
    # foot of a

  # foot of signs
id: a.b
tests:
- given: {a: 1}   # one
  expect: none
  # foot of the test
- {expect: none, given: {a: [1, null, 3]}}
cite: ["a, b", "1 # no comment"]
levels:
  red: {loss: 2, cost: 1}
  blue: {cost: 1, loss: 9}
  # end
# last
"""

EVEN = """\
# yaml-language-server: $schema=x.json

# Header.
id: a.b
signs:  # the signs
  # at the margin
  b:
    source: x
    ">": 3     # why three
    for: 3min  # after the brace
  a:
    source: "yes"
    reason: {zh: a, en: "a: b"}
    # foot of a

  # foot of signs
levels:
  blue: {cost: 1, loss: 9}
  red: {cost: 1, loss: 2}
  # end
do: SOP  # tail
cite: ["a, b", "1 # no comment"]
tests:
  - given: {a: 1}  # one
    expect: none
    # foot of the test
  - {given: {a: [1, null, 3]}, expect: none}
# last
"""


def test_keys_are_ordered_and_comments_stay_where_they_belong() -> None:
    assert formatted(ODD) == EVEN


def test_text_that_looks_like_something_else_keeps_its_quotes() -> None:
    values = ["1", "1.5e3", "null", "true", "yes", "12:30", "-a", "a: b", "a #b", "", " a", "<", "é 零", "a\tb", "a\nb"]
    lines = "".join(f"v{index}: {value!r}\n" for index, value in enumerate(values))
    text = "id: x\n" + lines.replace("'a\\tb'", '"a\\tb"').replace("'a\\nb'", '"a\\nb"')
    document = parse_document("rule.yaml", formatted(text), [])
    assert document is not None
    assert [document.data[f"v{index}"] for index in range(len(values))] == values


def test_windows_lines_and_byte_order_marks_go() -> None:
    assert formatted("\ufeffid: a\r\nrisk: r\r\n") == "id: a\nrisk: r\n"


def test_what_cannot_be_read_is_a_problem_with_its_line() -> None:
    problems: list[Problem] = []
    assert format_document("rule.yaml", "id: [", problems) is None
    assert format_document("rule.yaml", "- a", problems) is None
    assert [problem.where for problem in problems] == ["rule.yaml:1", "rule.yaml:1"]


SOURCES = [UNDERPASS, *(path.read_text(encoding="utf-8") for path in PACK_FILES)]


@settings(max_examples=40, deadline=None)
@given(source=st.sampled_from(SOURCES), data=st.data())
def test_comments_anywhere_are_kept_and_nothing_else_changes(source: str, data: st.DataObject) -> None:
    lines = source.split("\n")
    for number in range(data.draw(st.integers(1, 6))):
        index = data.draw(st.integers(0, len(lines) - 1))
        if data.draw(st.booleans()) and lines[index].strip() and "#" not in lines[index]:
            lines[index] += f"  # tail {number}"
        else:
            indent = " " * data.draw(st.integers(0, 8))
            lines.insert(index, data.draw(st.sampled_from(["", f"{indent}# own {number}"])))
    text = "\n".join(lines)
    result = formatted(text)
    assert sorted(comments_of(result)) == sorted(comments_of(text))
    before, after = parse_document("a", text, []), parse_document("a", result, [])
    assert before is not None
    assert after is not None
    assert after.data == before.data
    assert all(
        len(line) <= LINE_WIDTH for line in result.split("\n") if line.rstrip().endswith("}") and "#" not in line
    )
