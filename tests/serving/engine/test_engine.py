"""The engine follows the ledger: what opens slowly holds up nothing, and answers that repeat are remembered."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from contracts import Action, Array, ReleaseManifest
from serving.engine import InferenceEngine, ServedModel, open_release
from serving.engine import engine as engines
from serving.engine.cache import ResponseCache
from tests.serving.city import CONTEXT, City


class Bench:
    """An engine that remembers up to 64 KiB of answers, and a ledger."""

    def __init__(self, folder: Path) -> None:
        self.city = City(folder)
        self.engine = InferenceEngine(self.city.releases, threads=1, cache_bytes=65_536)

    async def follow(self, *manifests: ReleaseManifest, settle: bool = True) -> None:
        for manifest in manifests:
            self.city.promote(manifest, Action.PROMOTE)
        await self.engine.follow(self.city.store.ledger.champions())
        if settle:
            await self.engine.settle()

    async def ask(self, value: float = 10) -> tuple[int, float]:
        result = await self.engine.infer("mean", {"context": np.full((1, CONTEXT), value, np.float32)})
        return result.model.version, float(result.outputs["quantiles"][0, 0, 1])

    def champion(self) -> ServedModel:
        found = self.engine.models.champion("mean")
        assert found is not None
        return found


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.engine.close()
    made.city.close()


def test_a_version_that_opens_slowly_holds_up_no_rollback(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    first, second, third = (bench.city.release_mean(version, shift=version) for version in (1, 2, 3))
    may_open = threading.Event()

    def opened(releases: object, manifest: ReleaseManifest) -> ServedModel:
        if manifest.version == 3:
            assert may_open.wait(60)
        return open_release(releases, manifest)  # type: ignore[arg-type]

    async def scenario() -> None:
        await bench.follow(first)
        await bench.follow(second)
        monkeypatch.setattr(engines, "open_release", opened)
        await bench.follow(third, settle=False)
        assert (await bench.ask())[0] == 2
        await bench.follow(first, settle=False)
        assert (await bench.ask())[0] == 1
        may_open.set()
        await bench.engine.settle()
        assert await bench.ask() == (1, 11.0)

    asyncio.run(scenario())


def test_a_failure_is_forgotten_once_the_ledger_wants_what_answers(bench: Bench):
    good, bad = bench.city.release_mean(1), bench.city.release_mean(2, golden="wrong")

    async def scenario() -> None:
        await bench.follow(good)
        await bench.follow(bad)
        assert "golden output" in str(bench.engine.models.slot("mean").failure)
        assert (await bench.ask())[0] == 1
        await bench.follow(good)
        assert bench.engine.models.slot("mean").failure is None

    asyncio.run(scenario())


def test_answers_that_repeat_are_remembered_by_graph(bench: Bench):
    async def scenario() -> None:
        await bench.follow(bench.city.release_mean(1))
        assert [await bench.ask(10), await bench.ask(20), await bench.ask(10)] == [(1, 10.0), (1, 20.0), (1, 10.0)]
        usage = bench.champion().usage
        assert (usage.recalled.count, usage.missed.count, usage.rows) == (1, 2, 2)
        await bench.follow(bench.city.release_mean(2, shift=1))
        assert await bench.ask(10) == (2, 11.0)
        bench.engine.unload("mean")
        bench.engine.allow("mean")
        await bench.follow()
        assert await bench.ask(10) == (2, 11.0)
        assert bench.champion().usage.recalled.count == 0

    asyncio.run(scenario())


def test_the_cache_keeps_what_was_used_last_within_its_bytes(bench: Bench):
    model = open_release(bench.city.releases, bench.city.release_mean(1))
    cache = ResponseCache(3 * (512 + 400))

    def answer(value: float) -> dict[str, Array]:
        return {"y": np.full(100, value, np.float32)}

    keys = [cache.key(model, {"x": np.full(3, value, np.float32)}) for value in range(4)]
    for number, key in enumerate(keys[:3]):
        cache.put(key, answer(number))
    assert cache.get(keys[0]) is not None
    cache.put(keys[3], answer(3))
    assert [cache.get(key) is not None for key in keys] == [True, False, True, True]
    assert cache.used_bytes == cache.limit_bytes
    kept = cache.get(keys[0])
    assert kept is not None
    with pytest.raises(ValueError, match="read-only"):
        kept["y"][0] = 7
    cache.put(cache.key(model, {"x": np.zeros(9)}), {"y": np.zeros(10_000)})
    assert cache.get(keys[3]) is not None
    cache.forget("mean")
    assert cache.used_bytes == 0


def test_requests_that_differ_in_shape_or_type_alone_have_other_keys(bench: Bench):
    model = open_release(bench.city.releases, bench.city.release_mean(1))
    zeros = [np.zeros((2, 3), np.float32), np.zeros((3, 2), np.float32), np.zeros((2, 3), np.int32)]
    assert len({ResponseCache.key(model, {"x": array}) for array in zeros}) == 3
