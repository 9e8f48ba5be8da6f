"""Every answer is described down to its fields; a new route cannot leave its own out.

That answers are as they are described is seen by every test that asks the API: see `support.documented`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support import documented
from support.documented import JSON, MOUNT

# Places that take anything, and why.
FREE = {
    "ChangedRow.before": "columns of any table, as they were",
    "ChangedRow.after": "columns of any table, as they became",
    "WholeAuditEntry.notes": "what each action has to add",
    "Integration.config": "fields of the integration's template, and of the provider's own",
    "Variant.parameters": "values of the document's own parameters",
    "Choice.value": "values of the document's own parameters",
    "Parameter.value": "values of the document's own parameters",
    "TaskResult.data": "what the task found out; its type says how it is built",
}


def answers() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the schema of each answer in JSON that says something went well."""
    for path, methods in documented.document()["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                schema = answer.get("content", {}).get(JSON, {}).get("schema")
                if status.startswith("2") and schema is not None:
                    yield f"{method.upper()} {path} {status}", schema


def open_places(schema: Any, at: str, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield where a schema takes anything, as the name of the component and of its field."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name not in seen:
            yield from open_places(documented.document()["components"]["schemas"][name], name, seen | {name})
        return
    for one in (*schema.get("anyOf", ()), *([schema.get("items", {})] if schema.get("type") == "array" else ())):
        yield from open_places(one, at, seen)
    fields, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name, one in fields.items():
        yield from open_places(one, f"{at}.{name}", seen)
    if isinstance(others, dict):
        yield from open_places(others, f"{at}.*", seen)
    if (schema.get("type") == "object" and others is True) or not schema.keys() & {"type", "enum", "const", "anyOf"}:
        yield at


def test_every_field_of_every_answer_is_described() -> None:
    found = {place: operation for operation, schema in answers() for place in open_places(schema, operation)}
    assert {place: said for place, said in found.items() if place not in FREE} == {}
    assert FREE.keys() - found.keys() == set(), "these are described now"


def test_what_is_answered_with_success_has_a_body_or_is_called_empty() -> None:
    wrong = [
        f"{method.upper()} {path} {status}"
        for path, methods in documented.document()["paths"].items()
        for method, operation in methods.items()
        for status, answer in operation["responses"].items()
        if status.startswith("2") and bool(answer.get("content")) == (status == "204")
    ]
    assert wrong == []


def test_every_closed_shape_says_which_fields_are_always_there() -> None:
    schemas = documented.document()["components"]["schemas"]
    shapes = {name: one for name, one in schemas.items() if one.get("additionalProperties") is False}
    assert len(shapes) > 80
    optional = {name: sorted(one["properties"].keys() - set(one.get("required", ()))) for name, one in shapes.items()}
    assert {name: fields for name, fields in optional.items() if fields} == {
        "Content": ["bookmarked", "owner", "schedule", "tags", "vanity_url"],
        "FoundContent": ["warnings"],
        "Job": ["skip_reason"],
        "RenderBegun": ["path", "variant_key"],
    }


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("/v1/content/storage", "/v1/content/storage"),
        ("/v1/content/7b0/storage", "/v1/content/{guid}/storage"),
        ("/v1/content/7b0/bundles/1/files/a/b.py", "/v1/content/{guid}/bundles/{bundle_id}/files/{path}"),
        ("/v1/user", "/v1/user"),
        ("/v1/oauth/integrations/credentials", "/v1/oauth/integrations/{guid}"),
    ],
)
def test_an_answer_finds_its_operation(path: str, operation: str) -> None:
    found = documented.operation_of("GET", path)
    assert found is not None
    assert found.path == operation


PERSON = b'{"api_key": "k"}'


@pytest.mark.parametrize(
    ("method", "path", "status", "media", "body"),
    [
        ("GET", "/v1/nowhere", 200, JSON, b"{}"),
        ("POST", "/v1/bootstrap", 202, JSON, PERSON),
        ("POST", "/v1/bootstrap", 200, "text/plain", PERSON),
        ("POST", "/v1/bootstrap", 200, JSON, b""),
        ("POST", "/v1/bootstrap", 200, JSON, b'{"api_key": null}'),
        ("POST", "/v1/bootstrap", 200, JSON, b'{"api_key": "k", "more": 1}'),
        ("POST", "/v1/bootstrap", 200, JSON, b"{}"),
        ("POST", "/v1/bootstrap", 403, JSON, b'{"error": "no"}'),
        ("GET", "/v1/timezones", 200, JSON, b'[{"timezone": "UTC"}]'),
    ],
)
def test_an_answer_that_is_not_described_is_noticed(
    method: str, path: str, status: int, media: str, body: bytes
) -> None:
    documented.check("POST", f"{MOUNT}/v1/bootstrap", 200, JSON, PERSON)
    with pytest.raises(AssertionError):
        documented.check(method, MOUNT + path, status, media, body)
