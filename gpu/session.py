"""An ONNX graph, opened: the one place that creates onnxruntime sessions.

Sessions open with one thread and run on the caller's: many callers share a machine better than one call that
spreads itself, and such a session owns no threads at all. A session asked for more gets a pool that sleeps when idle.
onnxruntime's process-wide pool is not used: its Python interface cannot stop the workers from spinning, and a pool
of two burnt 1.2 s of processor time in 1.1 s where a sleeping pool took 0.2 s.

The memory arena is off: it never gives memory back, and a server swaps versions for months.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from contracts import Array, ArtefactError, ForecastSpec, ModelError, Signature, TensorError

from .devices import available_threads
from .metadata import read_forecast, read_signature

MAX_BYTES = 2 * 1024**3 - 1
"""The largest file a protobuf message can be; also what a release may weigh."""

_LOG_ERRORS_ONLY = 3
_ORT_ERRORS = (
    ort_errors.EPFail,
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoModel,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
    RuntimeError,
)


class Session:
    """An open graph; safe to run from several threads at once. Made by :func:`open_session`.

    Attributes:
        signature: inputs and outputs, declared by the graph or read from its shapes.
        forecast: what a forecaster must be asked; None for other graphs.
        metadata: all custom metadata of the graph.
    """

    __slots__ = ("_output_names", "_session", "forecast", "metadata", "signature")

    def __init__(self, session: onnxruntime.InferenceSession, origin: str) -> None:
        self._session: onnxruntime.InferenceSession | None = session
        self.metadata: dict[str, str] = dict(session.get_modelmeta().custom_metadata_map)
        self.signature: Signature = read_signature(
            self.metadata, session.get_inputs(), session.get_outputs(), origin=origin
        )
        self.forecast: ForecastSpec | None = read_forecast(self.metadata, origin=origin)
        self._output_names = [spec.name for spec in self.signature.outputs]

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run the graph once; other threads run meanwhile.

        The request is handed over as it is: check it with :meth:`Signature.check_inputs` where it comes from outside.

        Args:
            feeds: name → array for every input.

        Returns:
            Name → array for every output.

        Raises:
            TensorError: if the request does not fit the graph.
            ModelError: if the graph fails on it, or the session is closed.
        """
        if self._session is None:
            message = "The session is closed. Open the file again."
            raise ModelError(message)
        try:
            outputs = self._session.run(self._output_names, feeds)
        except (ort_errors.InvalidArgument, ValueError) as exc:
            given = {name: (str(array.dtype), array.shape) for name, array in feeds.items()}
            message = f"The request {given} does not fit the graph: {exc}"
            raise TensorError(message) from exc
        except _ORT_ERRORS as exc:
            message = f"The graph failed on a request: {exc}"
            raise ModelError(message) from exc
        return dict(zip(self._output_names, outputs, strict=True))

    def close(self) -> None:
        """Give the graph's memory back once no run uses it; a second call does nothing."""
        self._session = None


def open_session(source: str | Path | bytes, *, threads: int | None = None) -> Session:
    """Open an ONNX graph on the processor.

    Args:
        source: the file, or its bytes.
        threads: threads that one run may use; None runs on the caller's thread alone. Never more than the
            machine grants.

    Raises:
        ArtefactError: if the file is missing, empty, too large, corrupt, or contradicts its own declaration.
        ValueError: if ``threads`` is less than 1.
    """
    if threads is not None and threads < 1:
        message = f"A session needs at least one thread, was asked for {threads!r}."
        raise ValueError(message)
    origin, graph = _check_source(source)
    try:
        session = onnxruntime.InferenceSession(graph, _options(threads or 1), providers=["CPUExecutionProvider"])
    except _ORT_ERRORS as exc:
        message = f"{origin} cannot be opened as an ONNX graph: {exc}. Export it again or restore it from its release."
        raise ArtefactError(message) from exc
    return Session(session, origin)


def _check_source(source: str | Path | bytes) -> tuple[str, str | bytes]:
    origin: str = "The ONNX graph in memory"
    graph: str | bytes = source if isinstance(source, bytes) else str(source)
    size_bytes: int | None = len(source) if isinstance(source, bytes) else None
    if not isinstance(source, bytes):
        origin = f"The ONNX file '{source}'"
        try:
            size_bytes = Path(source).stat().st_size if Path(source).is_file() else None
        except OSError as exc:
            message = f"{origin} cannot be read: {exc}. Check its permissions."
            raise ArtefactError(message) from exc
    if size_bytes is None:
        message = f"{origin} does not exist. Train the model, or restore the file from its release."
        raise ArtefactError(message)
    if not 0 < size_bytes <= MAX_BYTES:
        message = f"{origin} has {size_bytes} bytes; it must have between 1 and {MAX_BYTES}. Export it again."
        raise ArtefactError(message)
    return origin, graph


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _LOG_ERRORS_ONLY
    options.enable_cpu_mem_arena = False
    options.intra_op_num_threads = min(threads, available_threads())
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options
