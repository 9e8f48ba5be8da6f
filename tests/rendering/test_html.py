import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from rostra.rendering.html import needed, to_html


def _notebook(*cells: NotebookNode) -> NotebookNode:
    return new_notebook(cells=list(cells))


def _code(source: str, text: str = "", tags: tuple[str, ...] = (), **data: str) -> NotebookNode:
    outputs = [new_output("stream", text=text)] if text else []
    outputs += [new_output("display_data", {kind.replace("_", "/"): value}) for kind, value in data.items()]
    return new_code_cell(source, outputs=outputs, metadata={"tags": list(tags)})


def _html(notebook: NotebookNode, *, hide_all: bool = False, hide_tagged: bool = False) -> str:
    return to_html(notebook, title="T", hide_all_input=hide_all, hide_tagged_input=hide_tagged)[0]


@pytest.mark.parametrize(
    ("hide_all", "hide_tagged", "shown"),
    [(False, False, {"zzfirst", "zzsecond"}), (True, False, set()), (False, True, {"zzfirst"}), (True, True, set())],
)
def test_input_is_hidden_as_asked(hide_all: bool, hide_tagged: bool, shown: set[str]) -> None:
    notebook = _notebook(_code("zzfirst", "first result"), _code("zzsecond", "second result", tags=("hide_input",)))
    html = _html(notebook, hide_all=hide_all, hide_tagged=hide_tagged)
    assert {word for word in ("zzfirst", "zzsecond") if word in html} == shown
    assert "first result" in html
    assert "second result" in html
    assert ("In\xa0[" in html) is not hide_all


@pytest.mark.parametrize(
    ("cell", "libraries", "why"),
    [
        (new_markdown_cell("It costs 5 dollars"), set(), "plain text"),
        (new_markdown_cell("Euler: $e^{i\\pi}$"), {"MathJax"}, "a formula"),
        (new_markdown_cell("```mermaid\ngraph LR\n```"), {"Mermaid"}, "a diagram"),
        (_code("1", text_html="<table></table>"), set(), "a table"),
        (_code("1", text_html="<script>require(['x'])</script>"), {"RequireJS"}, "an old plot"),
        (_code("1", text_latex="$x$"), {"MathJax"}, "a symbolic result"),
    ],
)
def test_libraries_are_fetched_only_when_needed(cell: NotebookNode, libraries: set[str], why: str) -> None:
    assert set(needed(_notebook(cell))) == libraries, why


def test_a_plain_report_fetches_nothing() -> None:
    html = _html(_notebook(new_markdown_cell("# Title"), _code("1 + 1", "2")))
    assert "<script" not in html
    assert "cdnjs" not in html
    assert "unpkg" not in html


def test_widgets_keep_their_state() -> None:
    state = {"application/vnd.jupyter.widget-state+json": {"state": {"a": {"model_name": "IntSliderModel"}}}}
    notebook = _notebook(_code("w"))
    notebook.metadata["widgets"] = state
    html, libraries = to_html(notebook, title="T", hide_all_input=False, hide_tagged_input=False)
    assert "IntSliderModel" in html
    assert set(libraries) == {"Jupyter widgets", "RequireJS"}


def test_a_hostile_title_stays_text() -> None:
    html, _ = to_html(_notebook(), title="</title><script>x</script>", hide_all_input=False, hide_tagged_input=False)
    assert "<script>x" not in html


def test_the_page_is_marked_up_for_readers_of_all_kinds() -> None:
    html = _html(_notebook(new_markdown_cell("# Title"), _code("p", image_png="aGk=")))
    assert '<html lang="en">' in html
    assert "<main>" in html
    assert 'name="viewport"' in html
    assert "alt=" in html
