"""Decision tables: cells, hit policies, checks and traces."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import KnowledgeError
from knowledge_graph.cells import ANYTHING, Interval, parse_cell
from knowledge_graph.tables import MAXIMUM_CLASHES, DecisionTable, HitPolicy, make_table

RAIN = make_table(
    "rain",
    [
        ({"hour": ">= 80", "six": "-"}, "red"),
        ({"hour": "[50..80)", "six": "-"}, "orange"),
        ({"hour": "< 50", "six": ">= 80"}, "orange"),
        ({"hour": "< 50", "six": "< 80"}, "none"),
    ],
    domain={"hour": "[0..500]", "six": "[0..1000]"},
)


@st.composite
def intervals(draw: st.DrawFn) -> Interval:
    ends = sorted(draw(st.lists(st.integers(-5, 5), min_size=2, max_size=2)))
    if ends[0] == ends[1]:
        return Interval(ends[0], ends[1], low_in=True, high_in=True)
    kind = draw(st.integers(0, 3))
    return Interval(
        -math.inf if kind == 1 else ends[0],
        math.inf if kind == 2 else ends[1],
        low_in=kind != 1 and draw(st.booleans()),
        high_in=kind != 2 and draw(st.booleans()),
    )


@given(intervals())
def test_a_cell_reads_back_as_it_was_written(interval: Interval) -> None:
    assert parse_cell(str(interval)) == interval
    assert parse_cell("-") == ANYTHING


@given(intervals(), intervals())
def test_covering_is_what_points_say(first: Interval, second: Interval) -> None:
    points = [value / 2 for value in range(-13, 14)]
    if first.covers(second):
        assert all(point in first for point in points if point in second)
    else:
        assert any(point in second and point not in first for point in points)


@pytest.mark.parametrize("cell", ["[5..3]", "(3..3]", "many", "[1..inf]", "> x", ">= 1 or 2"])
def test_a_cell_that_is_none_is_refused(cell: str) -> None:
    with pytest.raises(ValueError, match=r"empty|no cell|finite"):
        parse_cell(cell)
    with pytest.raises(KnowledgeError, match="Correct the cell"):
        make_table("t", [({"x": cell}, "y")])


def test_a_sound_table_has_no_problems() -> None:
    assert list(RAIN.problems()) == []


@pytest.mark.parametrize(
    ("hour", "six", "outcome"),
    [(80, 0, "red"), (79.9, 0, "orange"), (50, 999, "orange"), (49, 80, "orange"), (0, 0, "none")],
)
def test_rows_that_hold(hour: float, six: float, outcome: str) -> None:
    assert [row.outcome for row in RAIN.outcomes({"hour": hour, "six": six})] == [outcome]


def test_missing_holds_only_where_anything_does() -> None:
    assert [row.outcome for row in RAIN.outcomes({"hour": 90})] == ["red"]
    assert RAIN.outcomes({"six": 90}) == []


def test_why_not_names_the_cells_that_failed() -> None:
    assert RAIN.why_not(2, {"hour": 60}) == ["hour = 60, needs < 50", "six is missing, needs >= 80"]
    assert RAIN.why_not(0, {"hour": 90}) == []


def replaced(
    index: int, cells: dict[str, str | float], outcome: str, policy: HitPolicy = HitPolicy.UNIQUE
) -> DecisionTable:
    rows: list[tuple[dict[str, str | float], str]] = [
        ({name: str(row.cell(name)) for name in RAIN.inputs}, row.outcome) for row in RAIN.rows
    ]
    rows[index] = (cells, outcome)
    return make_table("rain", rows, policy=policy, domain={"hour": "[0..500]", "six": "[0..1000]"})


def test_a_gap_a_conflict_an_overlap_and_a_useless_row_are_named() -> None:
    gap = replaced(1, {"hour": "(50..80)"}, "orange")
    assert [p.message for p in gap.problems()] == ["no row holds at hour = 50, six = 0."]
    conflict = replaced(1, {"hour": "[50..80]"}, "orange")
    assert [p.message for p in conflict.problems()] == [
        "conflicts with row 1 at hour = 80, six = 0: 'orange' against 'red'."
    ]
    overlap = replaced(1, {"hour": "[49..80)"}, "orange")
    assert any("overlaps row 2 at hour = 49" in p.message for p in overlap.problems())
    useless = replaced(3, {"hour": "< 40", "six": ">= 90"}, "orange")
    assert any("never adds to row 3" in p.message for p in useless.problems())


def test_first_takes_the_first_and_collect_takes_all() -> None:
    cells: list[tuple[dict[str, str | float], str]] = [({"x": "> 1"}, "a"), ({"x": "> 2"}, "b")]
    assert [row.outcome for row in make_table("t", cells, policy=HitPolicy.FIRST).outcomes({"x": 3})] == ["a"]
    assert [row.outcome for row in make_table("t", cells, policy=HitPolicy.COLLECT).outcomes({"x": 3})] == ["a", "b"]
    assert any("never adds" in p.message for p in make_table("t", cells, policy=HitPolicy.FIRST).problems())
    assert list(make_table("t", cells, policy=HitPolicy.COLLECT).problems()) == []


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(intervals(), intervals(), st.sampled_from("ab")), min_size=1, max_size=5))
def test_the_checks_agree_with_a_fine_grid(rows: list[tuple[Interval, Interval, str]]) -> None:
    table = make_table(
        "t",
        [({"x": str(x), "y": str(y)}, outcome) for x, y, outcome in rows],
        policy=HitPolicy.ANY,
        domain={"x": "[-6..6]", "y": "[-6..6]"},
    )
    grid = [value / 2 for value in range(-12, 13)]
    points = np.array(list(itertools.product(grid, grid))).T
    holds = table.decide(points).holds
    outcomes = np.array([outcome == "a" for _, _, outcome in rows])
    conflict = bool((holds[outcomes].any(axis=0) & holds[~outcomes].any(axis=0)).any())
    gap = bool((~holds.any(axis=0)).any())
    messages = [problem.message for problem in table.problems()]
    assert any("no row holds" in message for message in messages) == gap
    assert any("conflicts" in message for message in messages) == conflict


def test_a_table_beyond_its_bounds_is_refused() -> None:
    many = make_table("t", [({"x": f"= {index}"}, "a") for index in range(1001)])
    assert [p.message for p in many.problems()] == ["has 1001 rows, more than 1000."]
    wide = make_table("t", [({f"x{column}": f"> {row}" for column in range(8)}, str(row)) for row in range(9)])
    limited = dataclasses.replace(wide, domain={"x0": parse_cell("[0..9]")})
    assert any("comparisons" in p.message for p in limited.problems())
    assert sum("conflicts" in p.message for p in wide.problems()) == MAXIMUM_CLASHES
