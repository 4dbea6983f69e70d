"""The description of the routes as OpenAPI 3.1, made from what each route declares, and a plain page of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from .versions import program_version

if TYPE_CHECKING:
    from .routes.table import Route

_SCHEMAS = "#/components/schemas/"
_PARAMETER = re.compile(r"{(\w+)}")
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string", "description": "What is wrong, what was given and what to do."}},
}
_ERRORS = {
    400: "The request cannot be read.",
    401: "No key, or one that is not known.",
    403: "The key's role may not do this.",
    404: "What the request names does not exist.",
    409: "The present state forbids it.",
    413: "The body is too long.",
    415: "The body is packed in a way that is not taken.",
    422: "The request can be read, but is wrong.",
    503: "Not now; see Retry-After.",
    504: "The deadline passed first.",
}
_OPEN_ERRORS = (404, 503)


def describe_routes(routes: Iterable[Route]) -> dict[str, Any]:
    """Return the OpenAPI document of routes."""
    schemas: dict[str, Any] = {"Error": _ERROR}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _describe(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "cityforge", "version": program_version(), "description": "What applications call."},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def _describe(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": _operation_id(route),
        "tags": [route.tag],
        "parameters": [*_path_parameters(route.path), *_query_parameters(route.query, schemas)],
        "responses": _responses(route),
        "security": [] if route.least is None else [{"bearer": []}, {"header": []}],
    }
    if route.least is not None:
        operation["description"] = f"Least role: {route.least.value}."
    if route.body is not None:
        reference = _register(route.body, schemas)
        operation["requestBody"] = {
            "required": route.body_required,
            "content": {"application/json": {"schema": reference}},
        }
    if route.takes:
        binary = {"schema": {"type": "string", "format": "binary"}}
        operation["requestBody"] = {"required": True, "content": dict.fromkeys(route.takes, binary)}
    return operation


def _operation_id(route: Route) -> str:
    words = re.findall(r"\w+", route.path)
    return "_".join([route.method.lower(), *words])


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(path)
    ]


def _query_parameters(model: type[BaseModel] | None, schemas: dict[str, Any]) -> list[dict[str, Any]]:
    if model is None:
        return []
    schema = model.model_json_schema(ref_template=_SCHEMAS + "{model}")
    schemas.update(schema.pop("$defs", {}))
    return [
        {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": part}
        for name, part in schema["properties"].items()
    ]


def _responses(route: Route) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": _SCHEMAS + "Error"}}}
    errors = _ERRORS if route.least is not None else {code: _ERRORS[code] for code in _OPEN_ERRORS}
    said = {str(status): {"description": text, "content": content} for status, text in errors.items()}
    return said | {str(status): {"description": text} for status, text in route.answers.items()}


def _register(model: type[BaseModel], schemas: dict[str, Any]) -> dict[str, str]:
    schema = model.model_json_schema(ref_template=_SCHEMAS + "{model}")
    schemas.update(schema.pop("$defs", {}))
    schemas[model.__name__] = schema
    return {"$ref": _SCHEMAS + model.__name__}


def render_page(document: Mapping[str, Any]) -> str:
    """Return the description as one page of HTML without scripts."""
    rows = [
        f"<tr><td><code>{method.upper()}</code></td><td><code>{escape(path)}</code></td>"
        f"<td>{escape(operation['summary'])}</td><td>{escape(operation.get('description', 'Open to everyone.'))}</td>"
        f"<td>{_render_parameters(operation)}</td></tr>"
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    return _PAGE.format(version=escape(document["info"]["version"]), rows="\n".join(rows))


def _render_parameters(operation: Mapping[str, Any]) -> str:
    names = [f"<code>{escape(each['name'])}</code>" for each in operation["parameters"]]
    body = operation.get("requestBody")
    for media, said in {} if body is None else body["content"].items():
        names.append(escape(said["schema"].get("$ref", media).removeprefix(_SCHEMAS)))
    return ", ".join(names)


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>cityforge {version}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }}
table {{ border-collapse: collapse; width: 100%; }}
td, th {{ border-bottom: 1px solid #ccc; padding: .4rem .6rem; text-align: left; vertical-align: top; }}
</style>
</head>
<body>
<h1>cityforge {version}</h1>
<p>Send your key as <code>Authorization: Bearer KEY</code> or <code>X-API-Key: KEY</code>.
Errors are <code>{{"error": "..."}}</code>. The whole description: <a href="openapi.json">openapi.json</a>.</p>
<table>
<tr><th>Method</th><th>Path</th><th>What</th><th>Who</th><th>Takes</th></tr>
{rows}
</table>
</body>
</html>
"""
