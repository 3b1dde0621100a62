"""What the OpenAPI document says beside the routes: who may call, what a refusal looks like, which POSTs take a key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.security import HTTPBearer

from services.gateway.idempotency import HEADER, takes_key
from shared.errors import Problem
from shared.labels.faults import Fault

BEARER: Final = HTTPBearer(
    auto_error=False,  # it is here to be shown; who calls is found out in `keys`, which also takes `Token <key>`
    scheme_name="ApiKey",
    bearerFormat="lm_<id>_<secret>",
    description="An API key, as POST /v1/api-keys shows it once.",
)

_PROBLEM: Final = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    "4XX": {"description": "Refused: a problem document (RFC 9457) that lists all faults.", "content": _PROBLEM},
    "5XX": {"description": "Not possible at the moment (with Retry-After), or our fault.", "content": _PROBLEM},
}

_KEY: Final = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "Same key and body: same answer, for 24 hours. Same key and another body: 409.",
}


def complete_openapi(app: FastAPI) -> None:
    """Add to the document of ``app`` the problem's schema, and the Idempotency-Key where it is heeded."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(made())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the way in which FastAPI has its document extended


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    template = "#/components/schemas/{model}"
    shapes = {model.__name__: model.model_json_schema(ref_template=template) for model in (Problem, Fault)}
    for shape in shapes.values():
        shape.pop("$defs", None)
    components = document.get("components", {})
    schemas = {**components.get("schemas", {}), **shapes}
    paths = {path: _with_keys(path, methods) for path, methods in document["paths"].items()}
    return document | {"paths": paths, "components": {**components, "schemas": schemas}}


def _with_keys(path: str, methods: Mapping[str, Any]) -> dict[str, Any]:
    return {
        method: operation | {"parameters": [*operation.get("parameters", []), _KEY]}
        if takes_key(path, {method.upper()})
        else operation
        for method, operation in methods.items()
    }
