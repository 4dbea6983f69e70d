"""Which families there are, and how one is built from its name and options."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import entry_points
from typing import Any

from pydantic import ValidationError

from contracts import ConfigurationError, ForecastSpec, ModelError, Problem

from .autoregression import Autoregression
from .composite import CompositeForecaster, CompositeOptions
from .ensemble import Ensemble
from .forecaster import Forecaster
from .graph_linear import GraphLinear
from .linear import DLinear, NLinear
from .nhits import NHits
from .patchtst import PatchTST
from .ridge import Ridge
from .seasonal_adjustment import SeasonallyAdjusted
from .seasonal_naive import SeasonalNaive
from .spiking import Spiking
from .tgcn import TGCN
from .tide import Tide
from .window_extreme import WindowExtreme

ENTRY_POINT_GROUP = "cityforge.forecasters"
"""A package of one's own offers ``Forecaster`` subclasses under this entry point group."""

_BUILT_IN: tuple[type[Forecaster], ...] = (
    SeasonalNaive,
    Ridge,
    Autoregression,
    NLinear,
    DLinear,
    Tide,
    NHits,
    PatchTST,
    Spiking,
    GraphLinear,
    TGCN,
    Ensemble,
    SeasonallyAdjusted,
    WindowExtreme,
)


@lru_cache(maxsize=1)
def families() -> Mapping[str, type[Forecaster]]:
    """Return every family by name: those built in and those that installed packages offer.

    Raises:
        ModelError: if an entry point cannot be loaded, is no forecaster, or takes a name that is taken.
    """
    known = {kind.family: kind for kind in _BUILT_IN}
    for point in entry_points(group=ENTRY_POINT_GROUP):
        try:
            kind = point.load()
        except Exception as exc:
            message = f"The forecaster plug-in {point.value!r} cannot be loaded: {exc}. Repair or uninstall it."
            raise ModelError(message) from exc
        if not (isinstance(kind, type) and issubclass(kind, Forecaster)):
            message = f"The forecaster plug-in {point.value!r} is not a subclass of models.forecasting.Forecaster."
            raise ModelError(message)
        if kind.family in known:
            message = f"The forecaster plug-in {point.value!r} takes the name {kind.family!r}, which is taken."
            raise ModelError(message)
        known[kind.family] = kind
    return known


def option_problems(family: str, options: Mapping[str, Any]) -> list[Problem]:
    """Return what is wrong with a family's name and options; empty when nothing is."""
    kind = families().get(family)
    if kind is None:
        known = ", ".join(sorted(families()))
        return [Problem("[model].family", f"the family {family!r} is unknown.", f"Choose one of: {known}.")]
    try:
        settings = kind.Settings.model_validate(dict(options))
    except ValidationError as exc:
        return [
            Problem(
                ".".join(["[model.options]", *(str(part) for part in error["loc"])]),
                f"{error['msg']}, given {str(error['input'])[:80]!r}.",
                f"Options of {family!r}: {', '.join(kind.Settings.model_fields) or 'none'}.",
            )
            for error in exc.errors(include_url=False)
        ]
    members = settings.members if isinstance(settings, CompositeOptions) else ()
    return [problem for member in members for problem in option_problems(member.family, member.options)]


def build_forecaster(family: str, spec: ForecastSpec, options: Mapping[str, Any] | None = None) -> Forecaster:
    """Build an unfitted forecaster.

    Args:
        family: a name from :func:`families`.
        spec: context, horizon, quantiles and calendar.
        options: the family's settings; what is left out takes its default.

    Raises:
        ConfigurationError: if the family or its options are unknown or wrong; lists every problem.
        ModelError: if the settings do not fit the spec.
    """
    problems = option_problems(family, options or {})
    if problems:
        title = f"The forecaster {family!r}"
        raise ConfigurationError(title, problems)
    kind = families()[family]
    settings = kind.Settings.model_validate(dict(options or {}))
    if issubclass(kind, CompositeForecaster) and isinstance(settings, CompositeOptions):
        members = [
            build_forecaster(member.family, spec, member.options)
            for member in settings.members
            for _ in range(member.copies)
        ]
        return kind(spec, settings, members)
    return kind(spec, settings)
