"""Turns a notebook with its outputs into one readable page.

The page fetches nothing from anywhere unless an output cannot work otherwise: a formula needs MathJax, a widget its
library. Which ones it needs is returned, so that the log can say it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from jinja2 import BytecodeCache, Environment
from jinja2.bccache import Bucket
from nbconvert.exporters import HTMLExporter
from nbformat import NotebookNode
from traitlets.config import Config

HIDE_TAG = "hide_input"
_TEMPLATES = Path(__file__).parent / "templates"
_MATH = re.compile(r"\$[^$\n]+\$|\$\$|\\\(|\\\[|\\begin\{")
_MATH_IN_HTML = re.compile(r"\$\$|\\\(|\\\[|\\begin\{")
_COMPILED: dict[str, bytes] = {}  # templates, for the next page of this process and of those forked from it
_REQUIRE = re.compile(r"\brequire(?:js)?\b")


class _Exporter(HTMLExporter):
    def _create_environment(self) -> Environment:
        environment: Environment = super()._create_environment()  # type: ignore[no-untyped-call]
        environment.bytecode_cache = _Remembered()
        return environment


class _Remembered(BytecodeCache):
    def load_bytecode(self, bucket: Bucket) -> None:
        if code := _COMPILED.get(bucket.key + bucket.checksum):
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        _COMPILED[bucket.key + bucket.checksum] = bucket.bytecode_to_string()


def to_html(
    notebook: NotebookNode, *, title: str, hide_all_input: bool, hide_tagged_input: bool
) -> tuple[str, tuple[str, ...]]:
    """Return the page and the names of the libraries it fetches from public sites.

    The notebook's own title (``metadata.title``) is shown before ``title``.
    """
    external = needed(notebook)
    config = Config()
    if hide_tagged_input:
        config.TagRemovePreprocessor.remove_input_tags = {HIDE_TAG}
    exporter = _Exporter(  # type: ignore[no-untyped-call]
        config=config,
        template_name="report",
        extra_template_basedirs=[str(_TEMPLATES)],
        exclude_input=hide_all_input,
        exclude_input_prompt=hide_all_input,
        exclude_output_prompt=hide_all_input,
    )
    # The kernel's own lexer lives in IPython, which the server does not have.
    notebook.metadata["language_info"] = {"name": "python", "pygments_lexer": "python"}
    own = notebook.metadata.get("title")
    notebook.metadata["title"] = own if isinstance(own, str) and own.strip() else title
    html, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": title}, "external": external})
    return html, external


def needed(notebook: NotebookNode) -> tuple[str, ...]:
    """Return which of MathJax, RequireJS, Mermaid and Jupyter widgets the page cannot do without."""
    found: set[str] = set()
    if "widgets" in notebook.metadata:
        found |= {"Jupyter widgets", "RequireJS"}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            found |= _in_markdown(cell.source)
        for output in cell.get("outputs", []):
            for kind, data in output.get("data", {}).items():
                found |= _in_output(kind, data)
    return tuple(sorted(found))


def _in_markdown(text: str) -> set[str]:
    found = {"MathJax"} if _MATH.search(text) else set()
    return found | ({"Mermaid"} if "```mermaid" in text else set())


def _in_output(kind: str, data: Any) -> set[str]:
    text = data if isinstance(data, str) else ""
    match kind:
        case "text/latex":
            return {"MathJax"}
        case "text/markdown":
            return _in_markdown(text)
        case "text/vnd.mermaid":
            return {"Mermaid"}
        case "application/javascript":
            return {"RequireJS"}
        case "text/html":
            math = {"MathJax"} if _MATH_IN_HTML.search(text) and "<script" not in text else set()
            return math | ({"RequireJS"} if "<script" in text and _REQUIRE.search(text) else set())
    return set()
