"""Takes a fitted network out as ONNX, and runs it in torch for comparison."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import onnx
import torch

from contracts import Array, ModelError

from .networks import NetworkTask, open_network

OPSET = 18
OUTPUTS = {
    NetworkTask.DETECT: ("raw",),
    NetworkTask.CLASSIFY: ("scores",),
    NetworkTask.SEGMENT: ("raw", "prototypes"),
}


def export_core(weights: Path, size_px: int, task: NetworkTask = NetworkTask.DETECT) -> onnx.ModelProto:
    """Take the network of a checkpoint out as ONNX, with a dynamic batch.

    Returns:
        ``pixels``, float32 (batch, 3, size_px, size_px) RGB within 0..1 in; out, by task: ``raw`` (batch, 4 + class,
        anchor); ``scores`` (batch, class); or ``raw`` (batch, 4 + class + mask, anchor) with ``prototypes``
        (batch, mask, size_px / 4, size_px / 4).

    Raises:
        ModelError: if it cannot be exported.
    """
    return convert_core(open_network(weights, task).model, size_px, task)


def run_network(weights: Path, pixels: Array, task: NetworkTask = NetworkTask.DETECT) -> dict[str, Array]:
    """Run the network of a checkpoint in torch; what an export is compared with.

    Args:
        weights: a checkpoint.
        pixels: float32 (batch, 3, size, size).
        task: what it answers.

    Returns:
        Outputs by the names that the export gives them.
    """
    network = open_network(weights, task).model.float().eval()
    _use_overlapping_boxes(network)
    with torch.no_grad():
        answer = network(torch.from_numpy(pixels))[0]
    tensors = answer if isinstance(answer, tuple | list) else (answer,)
    return {name: tensor.numpy() for name, tensor in zip(OUTPUTS[task], tensors, strict=True)}


def convert_core(network: torch.nn.Module, size_px: int, task: NetworkTask = NetworkTask.DETECT) -> onnx.ModelProto:
    """Convert a network of ultralytics; it is fused and left in evaluation mode.

    Raises:
        ModelError: if torch cannot export it.
    """
    network = network.float().eval()
    _use_overlapping_boxes(network)
    network = network.fuse(verbose=False)
    for module in network.modules():
        if hasattr(module, "export"):
            module.export, module.dynamic, module.format = True, True, "onnx"
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own internals; parity is measured instead
        try:
            program = torch.onnx.export(
                network,
                (torch.zeros(2, 3, size_px, size_px),),
                input_names=["pixels"],
                output_names=list(OUTPUTS[task]),
                dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
                external_data=False,
            )
        except (RuntimeError, ValueError, torch.onnx.errors.OnnxExporterError) as exc:
            message = f"The network cannot be exported: {exc}"
            raise ModelError(message) from exc
    if program is None:
        message = "The network cannot be exported: torch returned no graph."
        raise ModelError(message)
    return program.model_proto


def _use_overlapping_boxes(network: torch.nn.Module) -> None:
    """Choose the head whose boxes overlap, as in training, where a network has another one without (YOLO26)."""
    if getattr(network, "end2end", False):
        network.end2end = False
