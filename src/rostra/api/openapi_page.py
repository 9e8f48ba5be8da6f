"""The API's description as one page for people: every request, and the shapes of what is sent and answered. Pure."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from rostra.api.answers import JSON
from rostra.api.edge import MOUNT

Schema = Mapping[str, Any]
_OPTIONAL, _NEEDED = ", may be left out", ", needed"
_DIGITS = "^[0-9]+$"
_LIMITS = {
    "minimum": "from",
    "maximum": "to",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "maxItems": "at most {}",
    "default": "else",
}


def page(made: Mapping[str, Any]) -> str:
    """Return the whole page."""
    groups: dict[str, list[str]] = {}
    for path, methods in made["paths"].items():
        for method, operation in methods.items():
            groups.setdefault(operation["tags"][0], []).append(_row(path, method, operation))
    contents = "".join(f'<li><a href="#{_anchor(name)}">{_safe(name)}</a></li>' for name in sorted(groups))
    sections = "".join(
        f'<h2 id="{_anchor(name)}">{_safe(name.capitalize())}</h2><dl>{"".join(rows)}</dl>'
        for name, rows in sorted(groups.items())
    )
    shapes = "".join(_shape(name, schema) for name, schema in sorted(made["components"]["schemas"].items()))
    return _PAGE.format(contents=contents, sections=sections, shapes=shapes, mount=MOUNT)


def _row(path: str, method: str, operation: Mapping[str, Any]) -> str:
    said = _prose((operation.get("description") or "").split("\n")[0])
    lines = [
        f"<code>{_safe(one['name'])}</code> ({_safe(one['in'])}{', required' if one.get('required') else ''}):"
        f" {_kind(one.get('schema', {}))}. {_prose(one.get('description', ''))}"
        for one in operation.get("parameters", [])
    ]
    body = operation.get("requestBody", {}).get("content", {})
    lines += [f"body: {_kind(content['schema'])}" for content in body.values()]
    lines += [f"answer: {each}" for each in _answers(operation["responses"])]
    listed = "".join(f"<li>{line}</li>" for line in lines)
    return f"<dt><code>{method.upper()} {_safe(path)}</code></dt><dd>{said}<ul>{listed}</ul></dd>"


def _answers(responses: Mapping[str, Any]) -> Iterable[str]:
    """Yield what may come back when all goes well, with its status."""
    for status, answer in responses.items():
        if status.startswith("2"):
            media = answer.get("content", {})
            kinds = [_kind(content["schema"]) if name == JSON else _safe(name) for name, content in media.items()]
            yield f"{status} {' or '.join(kinds) or 'nothing'}"


def _shape(name: str, schema: Schema) -> str:
    marked, mark = set(schema.get("required", ())), _NEEDED
    if schema.get("additionalProperties") is False:  # what is answered is nearly always there
        marked, mark = schema["properties"].keys() - marked, _OPTIONAL
    rows = "".join(
        f"<tr><td><code>{_safe(field)}</code></td><td>{_kind(one)}{mark if field in marked else ''}</td></tr>"
        for field, one in schema.get("properties", {}).items()
    )
    said = f"<p>{_prose(' '.join(schema.get('description', '').split()))}</p>"
    return f'<h3 id="{_shape_anchor(name)}">{_safe(name)}</h3>{said}<table>{rows}</table>'


def _kind(schema: Schema) -> str:
    """Return a type in a few words: ``list of Tag``, ``text (date-time) or null``."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#{_shape_anchor(name)}">{_safe(name)}</a>'
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(one) for one in schema["anyOf"]))
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return ", ".join(f"<code>{_safe(json.dumps(value))}</code>" for value in values) + _limits(schema)
    return _plain(schema) + _limits(schema)


def _plain(schema: Schema) -> str:
    kind = schema.get("type")
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if kind == "object":
        others = schema.get("additionalProperties")
        return f"object of {_kind(others)}" if isinstance(others, dict) else "object"
    words = {"string": "text", "integer": "whole number", "boolean": "true or false", None: "anything"}
    form = f" ({_safe(schema['format'])})" if "format" in schema else ""
    if "pattern" in schema:
        form = " (digits)" if schema["pattern"] == _DIGITS else f" (<code>{_safe(schema['pattern'])}</code>)"
    return words.get(kind, _safe(str(kind))) + form


def _limits(schema: Schema) -> str:
    said = []
    for name, words in _LIMITS.items():
        if schema.get(name) not in (None, ""):
            value = _safe(json.dumps(schema[name]))
            said.append(words.format(value) if "{}" in words else f"{words} {value}")
    return "".join(f", {one}" for one in said)


def _anchor(name: str) -> str:
    return _safe(name.replace(" ", "-"))


def _shape_anchor(name: str) -> str:
    return f"shape-{_safe(name)}"


def _prose(text: str) -> str:
    """Return a sentence of a docstring, what stands between backticks as code."""
    return re.sub(r"(`{1,2})(.+?)\1", r"<code>\2</code>", _safe(text))


def _safe(value: str) -> str:
    return html.escape(value)


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>The HTTP API</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color-scheme: light dark }}
nav ul {{ columns: 14rem; padding-left: 1rem }}
dt {{ margin-top: 1rem; overflow-wrap: anywhere }}
dd {{ margin-left: 1rem }}
dd ul {{ margin: .2rem 0; padding-left: 1.2rem; font-size: .9rem }}
h3 {{ margin-bottom: .2rem; overflow-wrap: anywhere }} h3 + p {{ margin: .2rem 0 }}
table {{ border-collapse: collapse; width: 100% }}
td {{ border-top: 1px solid color-mix(in srgb, currentColor 25%, transparent); padding: .2rem .5rem;
  vertical-align: top; overflow-wrap: anywhere }}
td:first-child {{ width: 40% }}
code {{ font-family: ui-monospace, monospace }}
:target {{ outline: 2px solid; outline-offset: .3rem }}
</style></head><body>
<h1>The HTTP API</h1>
<p>All paths are below <code>{mount}</code>. Send <code>Authorization: Key</code> with an API key. Bodies are JSON. An
error is a <a href="#shape-Error">code and a sentence</a>. The same description for programs:
<a href="../__api__/openapi.json">OpenAPI 3.1</a>. <a href=".">Other documentation</a>.</p>
<nav><ul>{contents}<li><a href="#shapes">shapes</a></li></ul></nav>
<main>{sections}
<h2 id="shapes">Shapes</h2>
<p>What is sent and answered. What is answered has exactly these fields, in an order that stays.</p>
{shapes}</main>
</body></html>
"""
