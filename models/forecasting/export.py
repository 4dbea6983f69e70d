"""One ONNX graph per forecaster: raw units in, raw units out, its declaration in the metadata."""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from contracts import ModelError

from .forecaster import Forecaster

OPSET = 18
SIGNATURE_KEY = "cityforge.signature"
FORECAST_KEY = "cityforge.forecast"

_EXPORT_ERRORS = (RuntimeError, ValueError, torch.onnx.errors.OnnxExporterError, onnx.checker.ValidationError)


def export_onnx(forecaster: Forecaster, path: Path) -> None:
    """Write a fitted forecaster as one ONNX file with a dynamic batch.

    Args:
        forecaster: fitted; it is left in evaluation mode.
        path: the file to write.

    Raises:
        ModelError: if the graph cannot be exported or written.
    """
    forecaster.eval()
    examples = example_inputs(forecaster, batch=2)
    batch = torch.export.Dim("batch", min=1)
    try:
        program = _convert(forecaster, examples, batch)
        model = program.model_proto
        _strip(model)
        _describe(model, forecaster)
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, str(path))
    except (*_EXPORT_ERRORS, OSError) as exc:
        message = f"The forecaster {forecaster.family!r} cannot be exported to {str(path)!r}: {exc}"
        raise ModelError(message) from exc


def example_inputs(forecaster: Forecaster, batch: int) -> dict[str, Tensor]:
    """Return inputs of the right shapes by name, with a missing reading in them."""
    generator = torch.Generator().manual_seed(0)
    inputs = {
        spec.name: torch.randn([size or batch for size in spec.shape], generator=generator)
        for spec in forecaster.signature.inputs
    }
    inputs["context"][..., 0] = torch.nan
    return inputs


class _Graph(nn.Module):
    """A forecaster with every output of its signature, where ``forward`` gives the quantiles alone."""

    def __init__(self, forecaster: Forecaster) -> None:
        super().__init__()
        self.forecaster = forecaster

    def forward(
        self,
        context: Tensor,
        calendar: Tensor | None = None,
        *,
        known: Tensor | None = None,
        static: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        given = {"calendar": calendar, "known": known, "static": static}
        inputs = {name: tensor for name, tensor in given.items() if tensor is not None}
        return self.forecaster.outputs(context, self.forecaster(context, **inputs))


def _convert(forecaster: Forecaster, examples: dict[str, Tensor], batch: torch.export.Dim) -> torch.onnx.ONNXProgram:
    signature = forecaster.signature
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # The exporter warns of its own internals; parity is measured on every export instead.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            _Graph(forecaster),
            kwargs=examples,
            input_names=[spec.name for spec in signature.inputs],
            output_names=[spec.name for spec in signature.outputs],
            dynamic_shapes={name: {0: batch} for name in examples},
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
            external_data=False,
        )
    if program is None:
        message = "the exporter returned no graph."
        raise ModelError(message)
    return program


def _strip(model: onnx.ModelProto) -> None:
    """Take out the exporter's notes: stack traces with local paths have no place in a release."""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    model.graph.doc_string = model.doc_string = ""
    for function in model.functions:
        del function.metadata_props[:]
    for node in (*model.graph.node, *(node for function in model.functions for node in function.node)):
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer):
        del value.metadata_props[:]


def _describe(model: onnx.ModelProto, forecaster: Forecaster) -> None:
    for name, value in (
        (SIGNATURE_KEY, forecaster.signature.model_dump_json()),
        (FORECAST_KEY, forecaster.spec.model_dump_json()),
        ("cityforge.family", forecaster.family),
        *((f"cityforge.{name}", json.dumps(note)) for name, note in forecaster.notes().items()),
    ):
        entry = model.metadata_props.add()
        entry.key, entry.value = name, value
