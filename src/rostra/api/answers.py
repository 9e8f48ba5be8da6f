"""What endpoints answer, as the API's description tells it.

An endpoint's return annotation is the whole description of its answer: a typed dict beside the function that makes it,
so that the type checker holds the function to it. Nothing is checked or copied while the server answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from fastapi import APIRouter
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import core_schema
from starlette.responses import Response

REFERENCE = "#/components/schemas/{model}"
JSON = "application/json"
TAKES = "rostra_takes"  # the attribute of an endpoint that says which bodies it reads itself
BYTES = {"type": "string", "format": "binary"}

E = TypeVar("E", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Made:
    """Annotates a `Response` that an endpoint makes itself: what is in it.

    ``json`` is its type when it is JSON, ``media`` what else it may be, ``empty`` when it is 204 instead.
    """

    json: Any = None
    media: tuple[str, ...] = ()
    empty: str = ""


def takes(**bodies: Any) -> Callable[[E], E]:
    """Say what an endpoint that reads its body itself takes: a type by media type, ``bytes`` for what is no text.

    The media type is written with ``__`` for its slash and ``_`` for its hyphens.
    """

    def mark(endpoint: E) -> E:
        said = {media.replace("__", "/").replace("_", "-"): kind for media, kind in bodies.items()}
        setattr(endpoint, TAKES, said)
        return endpoint

    return mark


class _Route(APIRoute):
    """Answers what its endpoint returns as it is; the framework would check and copy ten thousand items."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        returned = get_type_hints(endpoint).get("return")
        made = returned is type(None) or (isinstance(returned, type) and issubclass(returned, Response))
        options["response_model"] = None if made else Any
        super().__init__(path, endpoint, **options)


class Router(APIRouter):
    def __init__(self) -> None:
        super().__init__(route_class=_Route)


def of(route: APIRoute) -> tuple[Any, Made]:
    """Return the type of the JSON a route answers (None: it answers none), and what else it answers."""
    returned = get_type_hints(route.endpoint, include_extras=True).get("return")
    if get_origin(returned) is Annotated and get_args(returned)[0] is Response:
        made = next(extra for extra in get_args(returned)[1:] if isinstance(extra, Made))
        return made.json, made
    if returned is type(None) or (isinstance(returned, type) and issubclass(returned, Response)):
        return None, Made()
    return returned, Made()


class _Generator(GenerateJsonSchema):
    """Closes what is answered, not what is taken, and leaves out what only repeats a field's name."""

    def typed_dict_schema(self, schema: core_schema.TypedDictSchema) -> JsonSchemaValue:
        closed = {"additionalProperties": False} if self.mode == "serialization" else {}
        return {**super().typed_dict_schema(schema), **closed}

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False

    def normalize_name(self, name: str) -> str:
        """Return ``Page[UserShape]`` as ``PageOfUser``: the ending only tells a shape from what it shows."""
        return super().normalize_name(re.sub(r"(?:Shape|Json)\b", "", re.sub(r"\[(.*)\]", r"Of\1", name)))


def schemas(
    taken: dict[str, Any], answered: dict[str, Any]
) -> tuple[dict[str, JsonSchemaValue], dict[str, JsonSchemaValue]]:
    """Return the schema of each type by its name here, and those of everything they share by its own."""
    inputs: list[tuple[str, JsonSchemaMode, TypeAdapter[Any]]] = [
        *((name, "validation", TypeAdapter(type_)) for name, type_ in taken.items()),
        *((name, "serialization", TypeAdapter(type_)) for name, type_ in answered.items()),
    ]
    found, shared = TypeAdapter.json_schemas(inputs, ref_template=REFERENCE, schema_generator=_Generator)
    return {name: schema for (name, _), schema in found.items()}, shared.get("$defs", {})
