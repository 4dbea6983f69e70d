"""Pipelines: order of stages, bounded threads, and pictures of mixed sizes that share a run of a detector's network."""

import asyncio
import io
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from contracts import Array, ConfigurationError, DataError, OverloadedError, Task, decode_picture
from models.vision import SIGNATURE, DetectorSpec, Head, build_parts, merge_parts
from serving.engine import (
    CORE,
    POST,
    PRE,
    REQUEST,
    Batcher,
    InferenceEngine,
    Part,
    Pipeline,
    Priority,
    Stage,
    WorkerPool,
    open_release,
)
from serving.errors import DeadlineError
from tests.models.vision.networks import answering
from tests.serving.city import City, golden_of

from .holding import Held

SIZE = 64
SPEC = DetectorSpec(family="test", labels=("bin", "water"), size_px=SIZE, head=Head.ULTRALYTICS)


class RecordedPart(Part):
    """A part that remembers how many rows its runs had."""

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        self.rows.append(len(feeds["pixels"]))
        return super().run(feeds)


def network():
    raw = np.zeros((6, 84), np.float32)
    raw[:, 0] = 32, 32, 16, 16, 0.9, 0
    return answering(raw, SIZE)


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 255, (height, width, 3), np.uint8)


def encoded(height: int, width: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture(height, width)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    made = WorkerPool(1, waiting=1)
    yield made
    made.close()


def soon(seconds: float = 60) -> float:
    return time.monotonic() + seconds


def test_a_pipeline_with_wrong_names_says_everything_that_is_wrong(pool: WorkerPool):
    stages = [Stage("a", str), Stage("a", str), Stage("b", str, ("c",))]
    with pytest.raises(ConfigurationError, match=r"2 problems(.|\n)*a: stands twice(.|\n)*b: needs \['c'\]"):
        Pipeline("wrong", stages, pool)
    with pytest.raises(ConfigurationError, match="has no stage"):
        Pipeline("empty", [], pool)


def test_stages_get_what_they_need_in_their_order(pool: WorkerPool):
    stages = [Stage("double", lambda x: 2 * x), Stage("minus", lambda a, b: a - b, ("double", REQUEST))]
    found = asyncio.run(Pipeline("numbers", stages, pool).run(21, Priority.BULK, soon()))
    assert found == 21


def test_the_threads_of_stages_are_bounded_and_drop_what_is_late_or_unwanted(pool: WorkerPool):
    gate, called = threading.Event(), []

    async def scenario() -> None:
        busy = asyncio.ensure_future(pool.run(gate.wait, deadline=soon()))
        late = asyncio.ensure_future(pool.run(called.append, "late", deadline=soon(0.01)))
        await asyncio.sleep(0.05)
        with pytest.raises(OverloadedError, match="Too many calls wait"):
            await pool.run(called.append, "third", deadline=soon())
        gate.set()
        await busy
        with pytest.raises(DeadlineError, match="deadline passed"):
            await late
        gate.clear()
        busy = asyncio.ensure_future(pool.run(gate.wait, deadline=soon()))
        gone = asyncio.ensure_future(pool.run(called.append, "gone", deadline=soon()))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait([gone])
        gate.set()
        await busy
        assert await pool.run(str, "next", deadline=soon()) == "next"

    asyncio.run(scenario())
    assert called == []


def test_pictures_of_mixed_sizes_share_a_run_of_the_network(tmp_path: Path, held: Held):
    city = City(tmp_path)
    content = merge_parts(SPEC, build_parts(SPEC, network())).SerializeToString()
    golden = golden_of(content, {"image": picture(40, 60)})
    manifest = city.release("potholes", 1, content, SIGNATURE, task=Task.DETECT, golden=golden)
    model = open_release(city.releases, manifest)
    core = RecordedPart(model.parts[CORE].name, model.parts[CORE].session, run_s=1e-4)
    core.rows = []
    engine = InferenceEngine(city.releases, threads=4)
    queue = Batcher(core, held.pool, 1)
    stages = [
        Stage("decode", decode_picture),
        Stage(PRE, lambda image: model.parts[PRE].run({"image": image}), ("decode",)),
        Stage("pixels", lambda pre: {"pixels": pre["pixels"]}, (PRE,)),
        Stage(CORE, queue, ("pixels",)),
        Stage(POST, lambda raw, pre: model.parts[POST].run({**raw, "geometry": pre["geometry"]}), (CORE, PRE)),
    ]
    sizes = [(40, 60), (128, 64), (64, 64), (200, 300)]

    async def ask() -> list[dict[str, np.ndarray]]:
        pipeline = Pipeline("potholes", stages, engine.workers)
        answers = [asyncio.ensure_future(engine.run(pipeline, encoded(*size))) for size in sizes]
        deadline = soon()
        while queue.waiting < len(sizes) - 1:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.005)
        held.release()
        return await asyncio.gather(*answers)

    try:
        found = asyncio.run(ask())
        for size, answer in zip(sizes, found, strict=True):
            expected = model.run({"image": picture(*size)})
            for name, array in expected.items():
                np.testing.assert_array_equal(answer[name], array)
        assert core.rows == [1, 3]
        with pytest.raises(DataError, match="neither JPEG nor PNG"):
            asyncio.run(engine.run(Pipeline("potholes", stages, engine.workers), b"no picture"))
    finally:
        engine.close()
        city.close()
