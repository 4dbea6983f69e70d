"""The champions as a model repository that Triton, and KServe's Triton runtime, serve as it is.

DIR/NAME/config.pbtxt
DIR/NAME/VERSION/model.onnx
DIR/cityforge-export.json        what was exported; an export over an earlier one replaces what stands there
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from contracts import Axis, AxisName, LedgerEntry, ReleaseManifest, StoreError, TensorSpec
from store import ReleaseStore, Store

INDEX = "cityforge-export.json"
MAXIMUM_BATCH = 256
"""As many rows as serving joins into one run."""
QUEUE_TIMEOUT_US = 30_000_000
MAXIMUM_WAITING = 4096
_PRIORITIES = 3  # alarm, interactive, bulk, as the Open Inference Protocol's parameter carries them
_DEFAULT_PRIORITY = 2


@dataclass(frozen=True, slots=True)
class ExportedModel:
    """One model of an exported repository.

    Attributes:
        name: of the model.
        version: the champion.
        sha256: of its file.
        folder: where it was written.
    """

    name: str
    version: int
    sha256: str
    folder: Path


def export_repository(store: Store, releases: ReleaseStore, folder: Path) -> list[ExportedModel]:
    """Write every champion of the ledger into a model repository.

    Args:
        store: its ledger names the champions.
        releases: where their files are; each is verified by its sha256.
        folder: made if it is not there; an earlier export in it is replaced.

    Raises:
        StoreError: if the folder holds anything that no earlier export wrote, or cannot be written.
        ArtefactError: if a released file is missing or damaged; what stood in the folder stays then.
    """
    entries = store.ledger.champions()
    files = {name: releases.path(entry.manifest.sha256) for name, entry in entries.items()}
    try:
        for earlier in _earlier(folder):
            shutil.rmtree(folder / earlier, ignore_errors=True)
        exported = [_write(folder, entry, files[name]) for name, entry in entries.items()]
        index = {each.name: {"version": each.version, "sha256": each.sha256} for each in exported}
        (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    except OSError as exc:
        message = f"The model repository '{folder}' cannot be written: {exc}. Give a folder that can be written."
        raise StoreError(message) from exc
    return exported


def triton_config(manifest: ReleaseManifest) -> str:
    """Return a version's ``config.pbtxt``: protobuf's text form of ``inference.ModelConfig``."""
    batched = _is_batched(manifest)
    lines = [
        f"name: {_text(manifest.name)}",
        'platform: "onnxruntime_onnx"',
        'backend: "onnxruntime"',
        'default_model_filename: "model.onnx"',
        f"max_batch_size: {MAXIMUM_BATCH if batched else 0}",
        *_tensors("input", manifest.signature.inputs, batched=batched),
        *_tensors("output", manifest.signature.outputs, batched=batched),
        "version_policy { latest { num_versions: 1 } }",
        "instance_group [ { kind: KIND_AUTO } ]",
        *(_queue() if batched else ()),
        *_warm_up(manifest, batched=batched),
        *_parameters(manifest),
    ]
    return "\n".join(lines) + "\n"


def _earlier(folder: Path) -> list[str]:
    """Return the models that an earlier export left in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    index = folder / INDEX
    known = list(json.loads(index.read_text(encoding="utf-8"))) if index.is_file() else []
    foreign = sorted(path.name for path in folder.iterdir() if path.name not in {*known, INDEX})
    if foreign:
        message = f"'{folder}' holds {', '.join(foreign[:5])}, which no export wrote. Give an empty folder."
        raise StoreError(message)
    return known


def _write(folder: Path, entry: LedgerEntry, file: Path) -> ExportedModel:
    manifest = entry.manifest
    place = folder / manifest.name
    version = place / str(manifest.version)
    version.mkdir(parents=True)
    shutil.copyfile(file, version / "model.onnx")
    (place / "config.pbtxt").write_text(triton_config(manifest), encoding="utf-8")
    return ExportedModel(manifest.name, manifest.version, manifest.sha256, place)


def _is_batched(manifest: ReleaseManifest) -> bool:
    """Return whether Triton may join requests: every tensor must begin with a dynamic batch axis."""
    tensors = (*manifest.signature.inputs, *manifest.signature.outputs)
    return all(spec.axes and _is_batch(spec.axes[0]) for spec in tensors)


def _is_batch(axis: Axis) -> bool:
    return axis.name is AxisName.BATCH and axis.size is None


def _tensors(kind: str, specs: tuple[TensorSpec, ...], *, batched: bool) -> Iterator[str]:
    for spec in specs:
        dims = ", ".join(str(size or -1) for size in _dims(spec, batched=batched))
        yield f"{kind} {{ name: {_text(spec.name)} data_type: {_type(spec)} dims: [ {dims} ] }}"


def _dims(spec: TensorSpec, *, batched: bool) -> tuple[int | None, ...]:
    return spec.shape[1:] if batched else spec.shape


def _type(spec: TensorSpec) -> str:
    return f"TYPE_{spec.dtype.open_inference_name}"


def _queue() -> Iterator[str]:
    """Join what queues up, wait for nothing, and refuse as our own engine does."""
    yield "dynamic_batching {"
    yield f"  priority_levels: {_PRIORITIES}"
    yield f"  default_priority_level: {_DEFAULT_PRIORITY}"
    yield "  default_queue_policy {"
    yield "    timeout_action: REJECT"
    yield f"    default_timeout_microseconds: {QUEUE_TIMEOUT_US}"
    yield "    allow_timeout_override: true"
    yield f"    max_queue_size: {MAXIMUM_WAITING}"
    yield "  }"
    yield "}"


def _warm_up(manifest: ReleaseManifest, *, batched: bool) -> Iterator[str]:
    """Run zeros before the first request, where every length is known."""
    specs = manifest.signature.inputs
    if not all(all(_dims(spec, batched=batched)) for spec in specs):
        return
    yield f'model_warmup {{ name: "zeros" batch_size: {1 if batched else 0}'
    for spec in specs:
        dims = ", ".join(map(str, _dims(spec, batched=batched)))
        value = f"data_type: {_type(spec)} dims: [ {dims} ] zero_data: true"
        yield f"  inputs {{ key: {_text(spec.name)} value {{ {value} }} }}"
    yield "}"


def _parameters(manifest: ReleaseManifest) -> Iterator[str]:
    facts = {"sha256": manifest.sha256, "run_id": manifest.run_id, "task": manifest.task.value}
    for key, value in facts.items():
        yield f'parameters {{ key: "cityforge.{key}" value {{ string_value: {_text(value)} }} }}'


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
