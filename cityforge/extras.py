"""What the base install leaves out, and which extra brings it: an import that fails becomes advice."""

from __future__ import annotations

import re
from importlib import metadata

from contracts import FactoryError

DISTRIBUTION = "cityforge"
ALL = "dev"
"""The extra that holds every other one."""
_MODULES = {"opencv-python-headless": "cv2", "pillow": "PIL"}
"""Modules that are not called like their distribution."""


class MissingExtraError(FactoryError):
    """The command needs a package that the base install leaves out."""


def missing_extra(exc: ModuleNotFoundError) -> MissingExtraError:
    """Return what to say of a package that is not installed.

    Raises:
        ModuleNotFoundError: the one given, if no extra of ours brings the module: then it is a defect.
    """
    module = (exc.name or "").partition(".")[0]
    extra = _extras_by_module().get(module)
    if extra is None:
        raise exc
    message = (
        f"This needs the package {module!r}, which is not installed. It comes with the extra {extra!r}: "
        f"pip install '{DISTRIBUTION}[{extra}]'."
    )
    return MissingExtraError(message)


def _extras_by_module() -> dict[str, str]:
    """Return which extra brings which module, as the installed distribution declares it."""
    found: dict[str, str] = {}
    for requirement in metadata.requires(DISTRIBUTION) or []:
        name = re.match(r"[\w.-]+", requirement)
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", requirement)
        if name is not None and extra is not None:
            module = _MODULES.get(name[0], name[0].replace("-", "_").lower())
            if found.get(module, ALL) == ALL:
                found[module] = extra[1]
    return found
