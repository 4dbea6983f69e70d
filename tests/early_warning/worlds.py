"""A small city for tests: two pumps, one rule file, a forecaster of five ONNX nodes, and days of readings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from contracts import (
    Axis,
    AxisName,
    ForecastSpec,
    InboxItem,
    InboxKind,
    Quality,
    Signature,
    TensorSpec,
    load_pack,
    parse_utc,
    to_ms,
)
from early_warning import AnomalyPolicy, Assignment, WarningConfiguration, WarningPolicy
from gpu import open_session
from knowledge_graph import compile_rules, load_procedures, load_rules
from operations import LocalModels

HOUR_MS = 3_600_000
START_MS = to_ms(parse_utc("2024-01-01T00:00:00Z"))
SPEC = ForecastSpec(context=24, horizon=3, interval_s=3600, quantiles=(0.05, 0.25, 0.5, 0.75, 0.95), minimum_observed=6)
PUMP = "pump.flow"
OTHER = "other.flow"
MODEL = "pumps"
SUPPLY = "pump.supply_loss"

_FILES = {
    "pack.toml": """
id = "test.pump"
title = { zh = "泵", en = "Pump" }
domain = "construction"
timezone = "UTC"
country = "CN"
lead = { zh = "水务", en = "Water" }
""",
    "places.csv": """id,name_zh,name_en,level,parent
town,市,Town,city,
town.east,东区,East,district,town
town.east.river,街道,River,street,town.east
town.east.hill,街道,Hill,street,town.east
""",
    "signs.csv": """id,title_zh,title_en,place,unit,interval_s,source,domain,dimension,harmful,lateness_s
pump.flow,流量,Flow,town.east.river,l/s,3600,scada,construction,flow,low,{lateness_s}
other.flow,流量,Flow,town.east.hill,l/s,3600,scada,construction,flow,low,{lateness_s}
""",
    "procedures.yaml": """
SOP-1:
  title: {zh: 处置, en: Act}
  lead: {zh: 水务, en: Water}
  steps:
    - {zh: 核实, en: Verify}
""",
    "rules/supply.yaml": """
id: pump.supply_loss
version: 1
title: {zh: 流量骤降, en: Loss of flow}
owner: {zh: 水务, en: Water}
expert: veteran-01
status: active
signs:
  shock: {source: flow, use: shock, direction: low, group: model}
  low_ahead: {source: flow, use: prior, at: 80 l/s, direction: low, group: model}
  dry: {source: flow, "<": 5 l/s, group: model, law: dry_main}
risk: loss
causes:
  low_ahead: {yes: 7, of: 10, prior: {yes: 1, of: 1000}, basis: E}
leak: {yes: 1, of: 300, basis: E}
horizon: 3h
levels:
  yellow: {cost: 1, loss: 10}
  red: {cost: 6, loss: 10}
do: SOP-1
quiet: 2h
laws:
  dry_main: {level: red, cite: Test act 1, title: {zh: 干管断流, en: Dry main}}
tests:
  - {given: {dry: 4}, expect: law.dry_main}
  - {given: {dry: 50}, expect_not: law.dry_main}
  - {given: {dry: 5}, expect_not: law.dry_main, kind: boundary}
""",
}


def write_pack(folder: Path, *, lateness_s: int = 0) -> Path:
    """Write the pack into a folder."""
    for name, text in _FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("{lateness_s}", str(lateness_s)).lstrip(), encoding="utf-8")
    return folder


def write_forecaster(path: Path, *, spread: float = 0.5) -> Path:
    """Write a graph: the mean of what is finite in the context, and fixed quantiles around it."""
    offsets = spread * np.array([-1.645, -0.674, 0, 0.674, 1.645], dtype=np.float32)
    table = np.tile(offsets, (SPEC.horizon, 1))[None]
    nodes = [
        helper.make_node("IsNaN", ["context"], ["gone"]),
        helper.make_node("Where", ["gone", "zero", "context"], ["filled"]),
        helper.make_node("Not", ["gone"], ["here"]),
        helper.make_node("Cast", ["here"], ["weight"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["filled", "axis"], ["total"], keepdims=1),
        helper.make_node("ReduceSum", ["weight", "axis"], ["count"], keepdims=1),
        helper.make_node("Div", ["total", "count"], ["mean"]),
        helper.make_node("Unsqueeze", ["mean", "axis"], ["centre"]),
        helper.make_node("Add", ["centre", "table"], ["quantiles"]),
    ]
    initial = [
        numpy_helper.from_array(np.float32(0), "zero"),
        numpy_helper.from_array(np.array([1], dtype=np.int64), "axis"),
        numpy_helper.from_array(table, "table"),
    ]
    context = helper.make_tensor_value_info("context", TensorProto.FLOAT, ["batch", SPEC.context])
    shape = ["batch", SPEC.horizon, len(SPEC.quantiles)]
    output = helper.make_tensor_value_info("quantiles", TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, "mean", [context], [output], initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(
        model,
        {"cityforge.signature": signature().model_dump_json(), "cityforge.forecast": SPEC.model_dump_json()},
    )
    onnx.save(model, path)
    return path


def signature() -> Signature:
    """Return the forecaster's declaration."""
    batch = Axis(name=AxisName.BATCH)
    time = Axis(name=AxisName.TIME, size=SPEC.context)
    horizon = Axis(name=AxisName.HORIZON, size=SPEC.horizon)
    quantile = Axis(name=AxisName.QUANTILE, size=len(SPEC.quantiles))
    return Signature(
        inputs=(TensorSpec(name="context", axes=(batch, time), missing=True),),
        outputs=(TensorSpec(name="quantiles", axes=(batch, horizon, quantile)),),
    )


def configure_world(
    folder: Path, policy: WarningPolicy | None = None, *, lateness_s: int = 0, signs: Iterable[str] = (PUMP, OTHER)
) -> WarningConfiguration:
    """Return the configuration of the small city."""
    pack = load_pack(write_pack(folder, lateness_s=lateness_s))
    procedures = load_procedures(pack.procedures)
    rules = compile_rules(load_rules(pack.rules, pack.signs, pack.places, procedures, timezone="UTC"))
    policy = policy or WarningPolicy(anomaly=AnomalyPolicy(tail_from=50))
    assignments = {sign: Assignment(MODEL, SPEC) for sign in signs}
    return WarningConfiguration(pack.signs, pack.places, {pack.header.id: rules}, assignments, policy)


def local_models(folder: Path) -> LocalModels:
    """Return the forecaster, open."""
    return LocalModels({MODEL: (open_session(write_forecaster(folder / "mean.onnx")), 1)})


def flow(hours: int, *, seed: int = 7, drops: Mapping[int, float] | None = None) -> list[float]:
    """Return hourly values around 100 with some of them replaced."""
    values: list[float] = (100 + 0.4 * np.random.default_rng(seed).standard_normal(hours)).round(3).tolist()
    for hour, value in (drops or {}).items():
        values[hour] = value
    return values


def reading(sequence: int, hour: float, value: float | None, **changes: object) -> InboxItem:
    """Return one reading of the pump."""
    fields: dict[str, object] = {
        "sequence": sequence,
        "kind": InboxKind.READING,
        "time_ms": START_MS + int(hour * HOUR_MS),
        "received_ms": START_MS + 10_000 * HOUR_MS,
        "sign": PUMP,
        "value": value,
        "quality": Quality.GOOD,
        "revision": 1,
    }
    return InboxItem(**(fields | changes))  # type: ignore[arg-type]


def tick(sequence: int, hour: float) -> InboxItem:
    """Return a tick of the clock."""
    time_ms = START_MS + int(hour * HOUR_MS)
    return InboxItem(sequence, InboxKind.TICK, time_ms, time_ms)


def stream(values: Sequence[float | None], *, ticks: bool = True) -> list[InboxItem]:
    """Return readings by the hour, each followed by a tick; None is an hour without a reading."""
    items: list[InboxItem] = []
    for hour, value in enumerate(values):
        if value is not None:
            items.append(reading(len(items) + 1, hour, value))
        if ticks:
            items.append(tick(len(items) + 1, hour))
    return items
