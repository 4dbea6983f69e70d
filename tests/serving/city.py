"""A small real city for tests: places, signs, released models and readings, in a real store."""

from __future__ import annotations

import hashlib
import io
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from contracts import (
    Action,
    Axis,
    AxisName,
    CalendarSpec,
    Domain,
    DType,
    Episode,
    Forecast,
    ForecastSpec,
    Incident,
    Layer,
    Level,
    Place,
    PlaceLevel,
    Reading,
    ReleaseManifest,
    Sign,
    Signature,
    Task,
    TensorSpec,
    Text,
    from_ms,
)
from early_warning import calibration_key
from early_warning.calibration import CalibrationState, model_key
from gpu import FORECAST_KEY, SIGNATURE_KEY, open_session
from store import ReleaseStore, RuntimeCommit, Store

CONTEXT, HORIZON, QUANTILES = 8, 3, (0.05, 0.5, 0.95)
HOUR_MS = 3_600_000
START_MS = 1_650_000_000_000 // HOUR_MS * HOUR_MS
FLOW, PRESSURE, SILENT, ORPHAN = "main.flow", "main.pressure", "main.silent", "main.orphan"


def _text(words: str) -> Text:
    return Text(zh=words, en=words)


PLACES = (
    Place(id="city", name=_text("City"), level=PlaceLevel.CITY),
    Place(id="city.east", name=_text("East"), level=PlaceLevel.DISTRICT, parent="city"),
    Place(id="city.east.river", name=_text("River"), level=PlaceLevel.STREET, parent="city.east"),
    Place(id="city.west", name=_text("West"), level=PlaceLevel.DISTRICT, parent="city"),
)


def _sign(key: str, place: str = "city.east.river") -> Sign:
    return Sign(
        id=key,
        title=_text(key),
        place=place,
        unit="l/s",
        interval_s=3600,
        source="scada",
        domain=Domain.CONSTRUCTION,
        minimum=0,
        maximum=400,
    )


SIGNS = (_sign(FLOW), _sign(PRESSURE), _sign(SILENT), _sign(ORPHAN, "city.west"))


def forecast_spec(*, calendar: bool = False) -> ForecastSpec:
    return ForecastSpec(
        context=CONTEXT,
        horizon=HORIZON,
        interval_s=3600,
        quantiles=QUANTILES,
        unit="l/s",
        calendar=CalendarSpec(timezone="Europe/Rome", country="IT") if calendar else None,
        minimum_observed=2,
    )


def signature(*, calendar: bool = False) -> Signature:
    batch = Axis(name=AxisName.BATCH)
    context = TensorSpec(name="context", axes=(batch, Axis(name=AxisName.TIME, size=CONTEXT)), unit="l/s", missing=True)
    features = TensorSpec(
        name="calendar",
        axes=(batch, Axis(name=AxisName.TIME, size=CONTEXT + HORIZON), Axis(name=AxisName.FEATURE, size=6)),
    )
    quantiles = TensorSpec(
        name="quantiles",
        axes=(batch, Axis(name=AxisName.HORIZON, size=HORIZON), Axis(name=AxisName.QUANTILE, size=len(QUANTILES))),
        unit="l/s",
    )
    return Signature(inputs=(context, features) if calendar else (context,), outputs=(quantiles,))


def mean_forecaster(*, shift: float = 0.0, calendar: bool = False) -> bytes:
    """Return a graph whose quantiles are the mean of the readings, less or more by one, plus ``shift``.

    With a calendar, the sum of the last step's features is added, so that a wrong calendar shows.
    """
    offsets = np.tile(np.array([-1, 0, 1], np.float32), (HORIZON, 1)) + np.float32(shift)
    constants = {
        "zero": np.zeros((), np.float32),
        "one": np.ones((), np.float32),
        "offsets": offsets[None],
        "axis1": np.array([1], np.int64),
        "axis2": np.array([2], np.int64),
        "first": np.array([CONTEXT + HORIZON - 1], np.int64),
        "end": np.array([CONTEXT + HORIZON], np.int64),
        "axes12": np.array([1, 2], np.int64),
    }
    nodes = [
        helper.make_node("IsNaN", ["context"], ["gaps"]),
        helper.make_node("Where", ["gaps", "zero", "context"], ["filled"]),
        helper.make_node("Where", ["gaps", "zero", "one"], ["counted"]),
        helper.make_node("ReduceSum", ["filled", "axis1"], ["sum"], keepdims=1),
        helper.make_node("ReduceSum", ["counted", "axis1"], ["count"], keepdims=1),
        helper.make_node("Max", ["count", "one"], ["divisor"]),
        helper.make_node("Div", ["sum", "divisor"], ["mean"]),
        helper.make_node("Unsqueeze", ["mean", "axis2"], ["centre"]),
        helper.make_node("Add", ["centre", "offsets"], ["band" if calendar else "quantiles"]),
    ]
    if calendar:
        nodes += [
            helper.make_node("Slice", ["calendar", "first", "end", "axis1"], ["last"]),
            helper.make_node("ReduceSum", ["last", "axes12"], ["season"], keepdims=1),
            helper.make_node("Add", ["band", "season"], ["quantiles"]),
        ]
    inputs = [helper.make_tensor_value_info("context", TensorProto.FLOAT, ["batch", CONTEXT])]
    if calendar:
        shape = ["batch", CONTEXT + HORIZON, 6]
        inputs.append(helper.make_tensor_value_info("calendar", TensorProto.FLOAT, shape))
    output = helper.make_tensor_value_info("quantiles", TensorProto.FLOAT, ["batch", HORIZON, len(QUANTILES)])
    declared = {
        SIGNATURE_KEY: signature(calendar=calendar).model_dump_json(),
        FORECAST_KEY: forecast_spec(calendar=calendar).model_dump_json(),
    }
    return _graph(nodes, inputs, [output], constants, declared)


def doubler(dtype: DType, *, cost: int = 0) -> tuple[bytes, Signature]:
    """Return a graph y = x + x over (batch, 4) of any type; ``cost`` adds that many 256 x 256 products (float32)."""
    kind = helper.np_dtype_to_tensor_dtype(dtype.numpy)
    if dtype is DType.BOOL:
        nodes = [helper.make_node("Or", ["x", "x"], ["y"])]
    else:
        nodes = [helper.make_node("Add", ["x", "x"], ["y" if not cost else "sum"])]
    constants: dict[str, np.ndarray] = {}
    if cost:
        constants = {"wide": np.ones((4, 256), np.float32), "matrix": np.eye(256, dtype=np.float32)}
        constants["narrow"] = np.eye(256, 4, dtype=np.float32) * 0
        nodes.append(helper.make_node("MatMul", ["x", "wide"], ["m0"]))
        nodes += [helper.make_node("MatMul", [f"m{i}", "matrix"], [f"m{i + 1}"]) for i in range(cost)]
        nodes.append(helper.make_node("MatMul", [f"m{cost}", "narrow"], ["nothing"]))
        nodes.append(helper.make_node("Add", ["sum", "nothing"], ["y"]))
    batch, width = Axis(name=AxisName.BATCH), Axis(name=AxisName.FEATURE, size=4)
    declared = Signature(
        inputs=(TensorSpec(name="x", axes=(batch, width), dtype=dtype),),
        outputs=(TensorSpec(name="y", axes=(batch, width), dtype=dtype),),
    )
    ends = [helper.make_tensor_value_info(name, kind, ["batch", 4]) for name in ("x", "y")]
    metadata = {SIGNATURE_KEY: declared.model_dump_json()}
    return _graph(nodes, ends[:1], ends[1:], constants, metadata), declared


def _graph(
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    constants: dict[str, np.ndarray],
    metadata: dict[str, str],
) -> bytes:
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "test", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    helper.set_model_props(model, metadata)
    return bytes(model.SerializeToString())


def golden_of(content: bytes, feeds: dict[str, np.ndarray], *, wrong: bool = False) -> bytes:
    """Return the recorded inputs and outputs of a graph as ``.npz``; ``wrong`` shifts the outputs."""
    outputs = open_session(content).run(feeds)
    arrays = {f"inputs/{name}": array for name, array in feeds.items()}
    arrays |= {f"outputs/{name}": array + (5 if wrong else 0) for name, array in outputs.items()}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


class City:
    """A store and released models in a folder."""

    def __init__(self, folder: Path) -> None:
        self.store_url = f"sqlite:///{folder / 'store.db'}"
        self.releases_url = str(folder / "releases")
        self.store = Store.open(self.store_url, durable=False)
        self.releases = ReleaseStore(self.releases_url)
        self.store.places.put(PLACES)
        self.store.signs.put(SIGNS)

    def release(
        self,
        name: str,
        version: int,
        content: bytes,
        declared: Signature,
        *,
        forecast: ForecastSpec | None = None,
        signs: tuple[str, ...] = (),
        golden: bytes | None = None,
        task: Task | None = None,
    ) -> ReleaseManifest:
        """Put a release into the release store."""
        manifest = ReleaseManifest(
            name=name,
            version=version,
            task=task or (Task.FORECAST if forecast else Task.CLASSIFY),
            sha256=hashlib.sha256(content).hexdigest(),
            size_bytes=len(content),
            signature=declared,
            forecast=forecast,
            golden_sha256=None if golden is None else hashlib.sha256(golden).hexdigest(),
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
            signs=signs,
        )
        self.releases.put(content, manifest, golden)
        return manifest

    def promote(self, manifest: ReleaseManifest, action: Action = Action.PROMOTE) -> None:
        """Make a release the champion."""
        self.store.ledger.append(action, manifest, "test", "because")

    def release_mean(self, version: int, *, shift: float = 0.0, golden: str = "right") -> ReleaseManifest:
        """Release a version of the model ``mean``; ``golden`` is right, wrong or none."""
        content = mean_forecaster(shift=shift)
        context = np.arange(2 * CONTEXT, dtype=np.float32).reshape(2, CONTEXT)
        context[1, 3] = np.nan
        recorded = None if golden == "none" else golden_of(content, {"context": context}, wrong=golden == "wrong")
        declared = signature()
        return self.release(
            "mean", version, content, declared, forecast=forecast_spec(), signs=(FLOW,), golden=recorded
        )

    def read(self, sign: str, values: list[float | None], start_ms: int = START_MS) -> None:
        """Put hourly readings into the inbox."""
        readings = [
            Reading(sign=sign, time=from_ms(start_ms + step * HOUR_MS), value=value)
            for step, value in enumerate(values)
        ]
        self.store.inbox.append(readings, start_ms)

    def commit(self, **step: object) -> None:
        """Commit a step of the runtime."""
        lease = self.store.leases.acquire("main", "test", 60, START_MS)
        offset = self.store.inbox.last_sequence()
        self.store.runtime.commit(lease, RuntimeCommit(offset=offset, **step))  # type: ignore[arg-type]

    def close(self) -> None:
        """Close the store."""
        self.store.close()


def populated(folder: Path) -> City:
    """Return a city with three champions, readings, a calibration and two warnings of one incident."""
    city = City(folder)
    city.promote(city.release_mean(1))
    seasonal = mean_forecaster(calendar=True)
    city.promote(
        city.release(
            "seasonal", 1, seasonal, signature(calendar=True), forecast=forecast_spec(calendar=True), signs=(SILENT,)
        )
    )
    content, declared = doubler(DType.INT64)
    city.promote(city.release("double", 4, content, declared))
    city.store.assignments.put(PRESSURE, "seasonal")
    city.read(FLOW, [100.0, 101.0, None, 103.0, 104.0, 105.0, 106.0, 107.0, 108.0])
    city.read(PRESSURE, [50.0] * CONTEXT)
    city.commit(state={calibration_key(FLOW): shifted_calibration()}, episodes=EPISODES, incidents=[INCIDENT])
    return city


def shifted_calibration() -> dict[str, object]:
    """Return the state of a calibration that lifts every quantile of ``mean`` by half a width."""
    raw = Forecast(FLOW, START_MS, 3600, QUANTILES, np.zeros((HORIZON, 3), np.float32), "mean", 1)
    fresh = CalibrationState.fresh(model_key(raw), HORIZON, len(QUANTILES))
    fresh.offsets[:] = 0.5
    return fresh.to_json()


def _episode(number: int, place: str, level: Level) -> Episode:
    opened = from_ms(START_MS + number * HOUR_MS)
    return Episode(
        id=f"ep-{number}",
        risk="supply_loss",
        title=_text("Supply loss"),
        layer=Layer.EXPERIENCE,
        place=place,
        level=level,
        peak_level=level,
        opened_at=opened,
        updated_at=opened,
        probability=0.5,
        incident="in-1",
    )


EPISODES = [
    _episode(1, "city.east.river", Level.BLUE),
    _episode(2, "city.east", Level.RED),
    _episode(3, "city.west", Level.YELLOW),
]
INCIDENT = Incident(
    id="in-1",
    cause="supply_loss",
    title=_text("Supply loss"),
    place="city",
    level=Level.RED,
    status=EPISODES[0].status,
    opened_at=EPISODES[0].opened_at,
    episodes=tuple(episode.id for episode in EPISODES),
)
