"""Parts of a graph: what lies between named tensors, as a graph of its own.

A graph that was merged from a part before, a network and a part behind batches at the network again once it is cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from contracts import ArtefactError

if TYPE_CHECKING:
    from onnx.utils import Extractor

_BATCH = "batch"


@dataclass(frozen=True, slots=True)
class Cut:
    """Where to cut.

    Attributes:
        inputs: tensors that the part takes.
        outputs: tensors that it gives.
        batched: free the first axis of all of them, so that several requests fit into one run.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    batched: bool = False


def cut_graph(source: Path, cuts: Mapping[str, Cut]) -> dict[str, bytes]:
    """Return parts of a graph by name, each as the bytes of an ONNX file.

    Args:
        source: the whole graph.
        cuts: where to cut, by the part's name.

    Raises:
        ArtefactError: if the file is no ONNX graph, or lacks a tensor that is cut at.
    """
    import onnx  # a server without pictures never pays for it
    from onnx.utils import Extractor

    try:
        whole = onnx.load(str(source), load_external_data=False)
        extractor = Extractor(onnx.shape_inference.infer_shapes(whole))
        return {name: _extract(extractor, cut) for name, cut in cuts.items()}
    except (OSError, DecodeError, KeyError, ValueError, onnx.shape_inference.InferenceError) as exc:
        wanted = sorted({tensor for cut in cuts.values() for tensor in (*cut.inputs, *cut.outputs)})
        message = f"The graph '{source}' cannot be cut at {wanted}: {exc}. Export it again."
        raise ArtefactError(message) from exc


def _extract(extractor: Extractor, cut: Cut) -> bytes:
    part = extractor.extract_model(list(cut.inputs), list(cut.outputs))
    if cut.batched:
        del part.graph.value_info[:]  # inferred for the batch size of the whole graph
        for value in (*part.graph.input, *part.graph.output):
            value.type.tensor_type.shape.dim[0].dim_param = _BATCH
    return bytes(part.SerializeToString())
