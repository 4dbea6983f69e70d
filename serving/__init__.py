"""What applications call: the inference engine, the Open Inference Protocol, readings and warnings.

Importing this room loads no server framework and no model; ``python -m serving`` starts the process.
"""

from __future__ import annotations

from .settings import SETTINGS_VARIABLE, ApiKey, Role, ServingSettings, TlsSettings, read_settings

__all__ = ["SETTINGS_VARIABLE", "ApiKey", "Role", "ServingSettings", "TlsSettings", "read_settings"]
