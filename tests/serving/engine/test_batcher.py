"""The batcher on real graphs: order, company, refusal, and who is to blame."""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from contracts import Array, Axis, AxisName, DType, OverloadedError, ReleaseManifest, Signature, Task, TensorError
from gpu import open_session
from serving.engine import Batcher, Priority, ServedModel
from serving.engine import batcher as batching
from serving.errors import DeadlineError
from tests.serving.city import doubler

from .holding import Held


class Recorded(ServedModel):
    """A served model that remembers the rows of its runs."""

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        self.runs.append(feeds["x"][:, 0].tolist())
        return super().run(feeds)


def served(content: bytes, declared: Signature, run_s: float) -> Recorded:
    manifest = ReleaseManifest(
        name="double",
        version=1,
        task=Task.CLASSIFY,
        sha256="0" * 64,
        size_bytes=len(content),
        signature=declared,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    model = Recorded(manifest, open_session(content), run_s)
    model.runs = []
    return model


def looker() -> tuple[bytes, Signature]:
    """Return a graph that looks numbers up in a table of ten, and fails on any other."""
    _, declared = doubler(DType.INT64)
    table = numpy_helper.from_array(np.arange(0, 100, 10, dtype=np.int64), "table")
    ends = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", 4]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Gather", ["table", "x"], ["y"])], "g", ends[:1], ends[1:], [table])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString()), declared


def row(value: int, rows: int = 1) -> dict[str, Array]:
    return {"x": np.full((rows, 4), value, np.int64)}


def soon(seconds: float = 60) -> float:
    return time.monotonic() + seconds


async def start(*coroutines) -> list[asyncio.Task]:
    tasks = [asyncio.ensure_future(each) for each in coroutines]
    await asyncio.sleep(0)
    return tasks


def test_what_queues_up_runs_together_and_everyone_gets_their_own(held: Held):
    async def scenario() -> None:
        model = served(*doubler(DType.INT64), run_s=1e-4)
        queue = Batcher(model, held.pool, 1)
        tasks = await start(*(queue.submit(row(k, k), k, Priority.INTERACTIVE, soon()) for k in (1, 2, 3)))
        held.release()
        answers = await asyncio.gather(*tasks)
        assert [answer["y"].tolist() for answer in answers] == [[[2 * k] * 4] * k for k in (1, 2, 3)]
        assert model.runs == [[1], [2, 2, 3, 3, 3]]

    asyncio.run(scenario())


def test_classes_come_before_deadlines_and_deadlines_before_arrival(held: Held, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(batching, "MAXIMUM_ROWS", 1)

    async def scenario() -> None:
        model = served(*doubler(DType.INT64), run_s=1e-4)
        queue = Batcher(model, held.pool, 1)
        tasks = await start(
            queue.submit(row(0), 1, Priority.BULK, soon()),
            queue.submit(row(1), 1, Priority.BULK, soon(20)),
            queue.submit(row(2), 1, Priority.INTERACTIVE, soon(50)),
            queue.submit(row(3), 1, Priority.INTERACTIVE, soon(40)),
            queue.submit(row(4), 1, Priority.ALARM, soon(60)),
        )
        held.release()
        await asyncio.gather(*tasks)
        assert model.runs == [[0], [4], [3], [2], [1]]

    asyncio.run(scenario())


def test_one_bad_request_fails_alone(held: Held):
    async def scenario() -> None:
        queue = Batcher(served(*looker(), run_s=1e-4), held.pool, 1)
        values = [1, 2, 99, 4, 5]
        tasks = await start(*(queue.submit(row(k), 1, Priority.INTERACTIVE, soon()) for k in values))
        held.release()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(answers[2], TensorError)
        assert [int(answer["y"][0, 0]) for k, answer in enumerate(answers) if k != 2] == [10, 20, 40, 50]

    asyncio.run(scenario())


def test_what_could_not_be_answered_in_time_is_refused_at_once(held: Held):
    async def scenario() -> None:
        queue = Batcher(served(*doubler(DType.INT64), run_s=1.0), held.pool, 1)
        tasks = await start(*(queue.submit(row(k), 1, Priority.INTERACTIVE, soon()) for k in range(4)))
        with pytest.raises(OverloadedError, match="3 requests waiting") as caught:
            await queue.submit(row(9), 1, Priority.INTERACTIVE, soon(3))
        assert caught.value.retry_after_s == pytest.approx(5)
        alarm = await start(queue.submit(row(9), 1, Priority.ALARM, soon(3)))
        held.release()
        assert len(await asyncio.gather(*tasks, *alarm)) == 5

    asyncio.run(scenario())


def test_the_queue_is_bounded(held: Held, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(batching, "MAXIMUM_WAITING", 3)

    async def scenario() -> None:
        queue = Batcher(served(*doubler(DType.INT64), run_s=1e-6), held.pool, 1)
        tasks = await start(*(queue.submit(row(k), 1, Priority.BULK, soon()) for k in range(4)))
        with pytest.raises(OverloadedError, match="has 3 requests waiting"):
            await queue.submit(row(9), 1, Priority.BULK, soon())
        held.release()
        await asyncio.gather(*tasks)

    asyncio.run(scenario())


def test_work_whose_caller_has_gone_or_whose_deadline_passed_is_not_done(held: Held):
    async def scenario() -> None:
        model = served(*doubler(DType.INT64), run_s=1e-6)
        queue = Batcher(model, held.pool, 1)
        first, gone, late, last = await start(
            queue.submit(row(0), 1, Priority.BULK, soon()),
            queue.submit(row(1), 1, Priority.BULK, soon()),
            queue.submit(row(2), 1, Priority.BULK, soon(0.05)),
            queue.submit(row(3), 1, Priority.BULK, soon()),
        )
        gone.cancel()
        await asyncio.sleep(0.1)
        held.release()
        await asyncio.gather(first, last)
        with pytest.raises(DeadlineError, match="deadline passed"):
            await late
        assert model.runs == [[0], [3]]
        assert queue.expected_wait_s() == 0

    asyncio.run(scenario())


def test_what_could_only_be_late_is_not_run(held: Held):
    async def scenario() -> None:
        model = served(*doubler(DType.INT64), run_s=0.2)
        queue = Batcher(model, held.pool, 1)
        first, late = await start(
            queue.submit(row(0), 1, Priority.BULK, soon()), queue.submit(row(1), 1, Priority.BULK, soon(0.5))
        )
        await asyncio.sleep(0.35)
        held.release()
        await first
        with pytest.raises(DeadlineError, match="came too near"):
            await late
        assert model.runs == [[0]]

    asyncio.run(scenario())


def test_company_makes_nobody_late(held: Held, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(batching, "BATCH_BUDGET_S", 100)

    async def scenario() -> None:
        model = served(*doubler(DType.INT64), run_s=1)
        queue = Batcher(model, held.pool, 1)
        waiting = [queue.submit(row(0), 1, Priority.BULK, soon()), queue.submit(row(1), 1, Priority.BULK, soon(5))]
        tasks = await start(*waiting, *(queue.submit(row(k), 1, Priority.BULK, soon()) for k in range(2, 10)))
        held.release()
        await asyncio.gather(*tasks)
        assert model.runs[1][0] == 1
        assert len(model.runs[1]) <= 5

    asyncio.run(scenario())


def test_requests_that_cannot_share_a_run_do_not(held: Held):
    async def scenario() -> None:
        content, declared = doubler(DType.INT64)
        fixed = declared.inputs[0].model_copy(
            update={"axes": (Axis(name=AxisName.FEATURE, size=1), *declared.inputs[0].axes[1:])}
        )
        model = served(content, declared.model_copy(update={"inputs": (fixed,)}), run_s=1e-6)
        queue = Batcher(model, held.pool, 1)
        tasks = await start(*(queue.submit(row(k), 1, Priority.BULK, soon()) for k in range(3)))
        held.release()
        await asyncio.gather(*tasks)
        assert model.runs == [[0], [1], [2]]

    asyncio.run(scenario())
