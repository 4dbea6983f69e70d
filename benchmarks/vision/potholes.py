"""From a folder of pictures to a judged detector: accuracy, minutes, and whether the slice gate blocks what it must.

Two fits of the same network: one on the pictures as they are, one with night, rain and blur asked for by the recipe.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from contracts import PromotionError
from registry import Registry
from training import TrainingResult
from training.vision import DetectRecipe, train_detector

from .part import Figures, Options, open_registry, progress, say

KEYS = ("potholes_val_map50", "potholes_minutes", "slice_gate_blocks")
SLICE_DROP = 0.3


def measure(options: Options) -> Figures:
    """Train on the pictures as they are."""
    began_s = time.monotonic()
    with open_registry(options.scratch / "plain") as registry:
        result = _train(options, registry, "street.plain", {})
        minutes = (time.monotonic() - began_s) / 60
        blocks = _blocks(registry, result)
    tell(result)
    return {
        "potholes_val_map50": result.figures.get("val.plain.map50"),
        "potholes_minutes": minutes,
        "slice_gate_blocks": blocks,
        "plain_test_map50": result.figures.get("test.plain.map50"),
    }


def train_with_conditions(options: Options, conditions: Mapping[str, float]) -> TrainingResult:
    """Train the same network with conditions that the recipe asks for."""
    with open_registry(options.scratch / "conditions") as registry:
        result = _train(options, registry, "street.conditions", dict(conditions))
    tell(result)
    return result


def tell(result: TrainingResult) -> None:
    """Tell every slice's accuracy."""
    rows = sorted(key for key in result.figures if key.endswith(".map50") and ".class." not in key)
    say(f"{result.name}: " + ", ".join(f"{key.removesuffix('.map50')} {result.figures[key]:.3f}" for key in rows))


def _train(options: Options, registry: Registry, name: str, conditions: dict[str, float]) -> TrainingResult:
    document: dict[str, Any] = {
        "name": name,
        "task": "detect",
        "data": {"folder": str(options.pictures.resolve()), "split_again": True},
        "model": {
            "architecture": options.architecture,
            "weights": "" if options.weights is None else str(options.weights.resolve()),
        },
        "conditions": conditions,
        "fitting": {"time_budget_s": options.budget_s},
        "gates": {"map50": 0.0, "slice_drop": SLICE_DROP, "latency_p95_ms": 1000},
    }
    recipe = DetectRecipe.model_validate(document)
    return train_detector(recipe, registry, options.scratch / "fits", progress=progress(name), force=True)


def _blocks(registry: Registry, result: TrainingResult) -> bool | None:
    """Whether promotion is refused because of each slice that fell too far; None where none did."""
    fallen = {gate.name for gate in result.gates if gate.name.startswith("slice.") and _fell(gate.value)}
    if not fallen:
        return None
    try:
        registry.promote(result.name, result.version, "benchmark")
    except PromotionError as exc:
        return all(name in str(exc) for name in fallen)
    return False


def _fell(drop: float | None) -> bool:
    return drop is None or drop > SLICE_DROP
