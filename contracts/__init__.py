"""The words everyone shares: signs, places, readings, tensors, forecasts, evidence, episodes, releases, errors.

Data and checks only: no I/O beyond reading packs, no framework, no clock of its own.
"""

from __future__ import annotations

from .calendar import CalendarFeature, CalendarSpec, calendar_features, is_workday
from .clock import UtcTime, format_utc, from_ms, parse_utc, to_ms, to_utc
from .detections import Detection
from .episodes import (
    Answer,
    Contribution,
    Episode,
    Explanation,
    Incident,
    Layer,
    Level,
    Procedure,
    Status,
    Transition,
    Verdict,
    episode_id,
)
from .errors import (
    AccessError,
    ArtefactError,
    ConfigurationError,
    DataError,
    FactoryError,
    KnowledgeError,
    LeaseError,
    ModelError,
    OverloadedError,
    Problem,
    PromotionError,
    SchemaError,
    ServiceError,
    StoreError,
    TensorError,
    UnknownSignError,
)
from .evidence import Evidence, EvidenceKind
from .forecasts import Forecast, ForecastSpec, QuantileLevels
from .hierarchy import HIERARCHY, Hierarchy
from .inbox import InboxItem, InboxKind, OutboxMessage
from .packs import Pack, PackHeader, load_pack, read_places, read_rows, read_signs, validation_problems
from .pictures import MAXIMUM_PIXELS, PictureHeader, check_picture, decode_picture, read_header
from .places import IDENTIFIER, Place, PlaceLevel, PlaceTree
from .readings import Quality, Reading
from .releases import Action, GateResult, LedgerEntry, ReleaseManifest, Task, resolve_forecasters
from .signs import Direction, Domain, Sign, SignCatalogue
from .tensors import NO_TENSORS, Array, Axis, AxisName, DType, Signature, TensorSpec
from .text import Language, Text
from .tls import ClientTls, verification
from .trials import TRIAL_REPORT, TRIAL_START, TRIAL_STOP, TrialLimits, TrialPlan, TrialReport

__all__ = [
    "HIERARCHY",
    "IDENTIFIER",
    "MAXIMUM_PIXELS",
    "NO_TENSORS",
    "AccessError",
    "Action",
    "Answer",
    "Array",
    "ArtefactError",
    "Axis",
    "AxisName",
    "CalendarFeature",
    "CalendarSpec",
    "ConfigurationError",
    "Contribution",
    "DType",
    "DataError",
    "Detection",
    "Direction",
    "Domain",
    "Episode",
    "Evidence",
    "EvidenceKind",
    "Explanation",
    "FactoryError",
    "Forecast",
    "ForecastSpec",
    "GateResult",
    "Hierarchy",
    "InboxItem",
    "InboxKind",
    "Incident",
    "KnowledgeError",
    "Language",
    "Layer",
    "LeaseError",
    "LedgerEntry",
    "Level",
    "ModelError",
    "OutboxMessage",
    "OverloadedError",
    "Pack",
    "PackHeader",
    "Place",
    "PlaceLevel",
    "PlaceTree",
    "Problem",
    "Procedure",
    "PromotionError",
    "Quality",
    "QuantileLevels",
    "Reading",
    "ReleaseManifest",
    "SchemaError",
    "ServiceError",
    "Sign",
    "SignCatalogue",
    "Signature",
    "Status",
    "StoreError",
    "Task",
    "TensorError",
    "TensorSpec",
    "Text",
    "Transition",
    "TRIAL_REPORT",
    "TRIAL_START",
    "TRIAL_STOP",
    "TrialLimits",
    "TrialPlan",
    "TrialReport",
    "UnknownSignError",
    "UtcTime",
    "Verdict",
    "calendar_features",
    "PictureHeader",
    "check_picture",
    "decode_picture",
    "read_header",
    "episode_id",
    "format_utc",
    "from_ms",
    "is_workday",
    "load_pack",
    "parse_utc",
    "read_places",
    "read_rows",
    "read_signs",
    "resolve_forecasters",
    "to_ms",
    "to_utc",
    "validation_problems",
    "ClientTls",
    "verification",
]
