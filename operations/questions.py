"""Questions: what the engine asks of models, one call a model and instant, whoever answers.

The same code puts requests together for the runtime, which asks over HTTP, and for a backtest, which asks a local
session, so that both send the same batch in the same order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from contracts import Array, Forecast, TensorError
from early_warning import ForecastRequest

if TYPE_CHECKING:
    from gpu import Session  # it loads onnxruntime, which the settings of this room have no use for


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a model answered to one batch.

    Attributes:
        quantiles: shape ``(batch, horizon, quantile)``, raw units.
        version: version of the model.
    """

    quantiles: Array
    version: int


class Respondent(Protocol):
    """Whoever answers for models."""

    def infer(self, model: str, feeds: Mapping[str, Array]) -> Answer | None:
        """Answer one batch; None when the model counts as silent.

        Raises:
            OverloadedError: if it cannot be answered now, but may be later.
        """


class LocalModels:
    """Answers from open sessions, for backtests.

    Args:
        sessions: session and version of each model, by its registered name.
    """

    def __init__(self, sessions: Mapping[str, tuple[Session, int]]) -> None:
        self._sessions = dict(sessions)

    def infer(self, model: str, feeds: Mapping[str, Array]) -> Answer | None:
        """Answer one batch; None for a model that is not open."""
        if model not in self._sessions:
            return None
        session, version = self._sessions[model]
        return Answer(session.run(feeds)["quantiles"], version)


def ask(requests: Sequence[ForecastRequest], respondent: Respondent) -> dict[str, Forecast]:
    """Ask every model once for all its signs.

    Args:
        requests: of one instant.
        respondent: whoever answers.

    Returns:
        Raw forecasts by sign; without the signs of silent models.

    Raises:
        TensorError: if an answer has another shape than the model declares.
    """
    by_model: dict[str, list[ForecastRequest]] = {}
    for request in requests:
        by_model.setdefault(request.model, []).append(request)
    forecasts: dict[str, Forecast] = {}
    for model, batch in sorted(by_model.items()):
        answer = respondent.infer(model, _feeds(batch))
        if answer is not None:
            forecasts |= _forecasts(model, batch, answer)
    return forecasts


def _feeds(batch: Sequence[ForecastRequest]) -> dict[str, Array]:
    feeds: dict[str, Array] = {"context": np.stack([request.context for request in batch])}
    calendars = [request.calendar for request in batch if request.calendar is not None]
    if calendars:
        feeds["calendar"] = np.stack(calendars)
    return feeds


def _forecasts(model: str, batch: Sequence[ForecastRequest], answer: Answer) -> dict[str, Forecast]:
    spec = batch[0].spec
    expected = (len(batch), spec.horizon, len(spec.quantiles))
    if answer.quantiles.shape != expected or not np.isfinite(answer.quantiles).all():
        message = (
            f"The model {model!r} version {answer.version} answered with quantiles of shape {answer.quantiles.shape}, "
            f"expected finite ones of shape {expected}. Check that its manifest tells the truth."
        )
        raise TensorError(message)
    return {
        request.sign: Forecast(
            sign=request.sign,
            origin_ms=request.origin_ms,
            interval_s=spec.interval_s,
            quantiles=spec.quantiles,
            values=values,
            model=model,
            version=answer.version,
        )
        for request, values in zip(batch, answer.quantiles, strict=True)
    }
