"""Which keys a rule file may hold at a location, in the order they are declared."""

from __future__ import annotations

from typing import Any, get_args, get_origin

from pydantic import BaseModel


def model_at(model: type[BaseModel], path: tuple[str | int, ...]) -> type[BaseModel] | None:
    """Return the class that describes the mapping at a path; None where names are free or nothing is described."""
    current: Any = model
    for part in path:
        current = _step(current, part)
    found = _bare(current)
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None


def keys_of(model: type[BaseModel]) -> list[str]:
    """Return the keys of a class as files write them, in the order declared."""
    return [field.alias or name for name, field in model.model_fields.items()]


def _step(annotation: Any, part: str | int) -> Any:
    current = _bare(annotation)
    if isinstance(current, type) and issubclass(current, BaseModel):
        return {field.alias or name: field.annotation for name, field in current.model_fields.items()}.get(str(part))
    arguments = get_args(current)
    if get_origin(current) is dict:
        return arguments[1]
    return arguments[0] if get_origin(current) in {tuple, list} else None


def _bare(annotation: Any) -> Any:
    """Return an annotation without ``Annotated`` and ``| None``."""
    if hasattr(annotation, "__metadata__"):
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in {dict, tuple, list} or isinstance(annotation, type):
        return annotation
    parts = [part for part in get_args(annotation) if part is not type(None)]
    described = [part for part in map(_bare, parts) if get_origin(part) or issubclass(part, BaseModel)]
    return described[0] if described else None
