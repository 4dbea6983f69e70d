"""Trials on real graphs: who looks, who answers, and what ends a trial."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from contracts import Array, ModelError, TrialLimits, TrialPlan, TrialReport
from serving.engine import InferenceEngine, Priority, ServedModel, Trial, Urgency, open_release, relative_difference
from tests.serving.city import CONTEXT, City

FEW = TrialLimits(minimum_comparisons=3)


class Bench:
    """An engine with the champion ``mean`` 1."""

    def __init__(self, folder: Path) -> None:
        self.city = City(folder)
        self.engine = InferenceEngine(self.city.releases, threads=1)
        self.engine.models.swap(open_release(self.city.releases, self.city.release_mean(1)))

    async def begin(self, version: int, *, shift: float, share: float = 0.0) -> Trial:
        manifest = self.city.release_mean(version, shift=shift)
        plan = TrialPlan(name="mean", version=version, sha256=manifest.sha256, canary_share=share, limits=FEW)
        return await self.engine.begin_trial(plan, manifest)

    async def ask(self, priority: Priority = Priority.INTERACTIVE) -> tuple[int, float]:
        result = await self.engine.infer(
            "mean", {"context": np.full((1, CONTEXT), 10, np.float32)}, urgency=Urgency(priority)
        )
        return result.model.version, float(result.outputs["quantiles"][0, 0, 1])

    async def ask_until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline
            assert await self.ask() == (1, 10.0)
            await asyncio.sleep(0.002)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.engine.close()
    made.city.close()


def test_a_challenger_looks_on_and_what_differs_is_told(bench: Bench):
    async def scenario() -> None:
        trial = await bench.begin(2, shift=2)
        await bench.ask_until(lambda: trial.total.comparisons >= 5)
        assert trial.ended is None
        report = trial.take_report()
        assert report is not None
        assert (report.version, report.champion, report.failures, report.canaried) == (2, 1, 0, 0)
        assert report.difference == pytest.approx(0.2)
        assert trial.take_report() is None

    asyncio.run(scenario())


def test_a_challenger_that_differs_too_much_is_ended(bench: Bench):
    async def scenario() -> None:
        trial = await bench.begin(2, shift=20)
        await bench.ask_until(lambda: trial.ended is not None)
        assert trial.ended == "its answers differ by 200.0% on average, more than 50.0%"
        assert trial.total.comparisons == 3

    asyncio.run(scenario())


def test_a_canary_answers_its_share_but_no_alarm(bench: Bench):
    async def scenario() -> None:
        trial = await bench.begin(2, shift=2, share=0.25)
        answers = [await bench.ask() for _ in range(40)]
        assert answers.count((2, 12.0)) == 10
        assert answers.count((1, 10.0)) == 30
        assert trial.total.canaried == 10
        assert {await bench.ask(Priority.ALARM) for _ in range(20)} == {(1, 10.0)}

    asyncio.run(scenario())


class Failing(ServedModel):
    """A version that opened well and fails on every request."""

    def run(self, feeds: dict[str, Array]) -> dict[str, Array]:
        message = "the graph failed"
        raise ModelError(message)


def test_where_a_canary_fails_the_champion_answers_and_the_trial_ends(bench: Bench):
    async def scenario() -> None:
        trial = await bench.begin(2, shift=0, share=0.5)
        trial.model = Failing(trial.model.manifest, trial.model.session)
        for _ in range(20):
            assert await bench.ask() == (1, 10.0)
        assert trial.ended == "100.0% of 3 runs failed, more than 1.0%"

    asyncio.run(scenario())


def test_a_promoted_challenger_is_no_longer_on_trial(bench: Bench):
    async def scenario() -> None:
        trial = await bench.begin(2, shift=2)
        bench.engine.models.swap(trial.model)
        bench.city.promote(trial.model.manifest)
        assert (await bench.ask())[0] == 2
        bench.engine.end_trial("mean")
        assert bench.engine.trials.get("mean") is None

    asyncio.run(scenario())


def test_differences():
    expected = np.array([[2.0, np.nan, -2.0]], np.float32)
    assert relative_difference(expected, expected) == 0
    assert relative_difference(expected * np.float32(1.5), expected) == pytest.approx(0.5)
    assert relative_difference(np.full((1, 3), np.nan, np.float32), expected) == float("inf")
    assert relative_difference(expected[:, :2], expected) == 1
    assert relative_difference(np.array([1, 2]), np.array([1, 3])) == 0.5
    assert relative_difference(np.array([1.0]), np.array([np.nan])) == 0


def test_reports_of_several_processes_add_up():
    one = TrialReport(version=2, champion=1, comparisons=3, failures=1, difference_sum=0.2, difference_worst=0.1)
    other = TrialReport(version=2, comparisons=2, canaried=4, difference_sum=0.2, difference_worst=0.15)
    both = one.joined(other)
    assert (both.comparisons, both.failures, both.canaried, both.champion) == (5, 1, 4, 1)
    assert both.difference == pytest.approx(0.1)
    assert both.difference_worst == 0.15
