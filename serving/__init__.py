"""What applications call: the inference engine, the Open Inference Protocol, readings and warnings.

Importing this room loads no server framework and no model; ``python -m serving`` starts the process.
"""

from __future__ import annotations

from .client import AsyncPlatformClient, Inference, IngestResult, PlatformClient, RefusedReading
from .settings import SETTINGS_VARIABLE, ApiKey, Role, ServingSettings, TlsSettings, read_settings
from .tls import check_tls

__all__ = [
    "SETTINGS_VARIABLE",
    "ApiKey",
    "AsyncPlatformClient",
    "Inference",
    "IngestResult",
    "PlatformClient",
    "RefusedReading",
    "Role",
    "ServingSettings",
    "TlsSettings",
    "check_tls",
    "read_settings",
]
