"""Which parameters a document says it has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rostra.rendering import parameters_declared
from rostra.rendering.parameters_declared import Choice, Parameter, of_file, of_header, of_notebook


def header(params: str) -> str:
    return f"---\ntitle: One\n{params}output: html_document\n---\n\nText.\n"


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ("params:\n  year: 2026\n", Parameter(name="year", input="numeric", value=2026)),
        ("params:\n  region: north\n", Parameter(name="region", value="north")),
        ("params:\n  all: true\n", Parameter(name="all", input="checkbox", value=True)),
        ("params:\n  start.day: 2026-03-01\n", Parameter(name="start.day", input="date", value="2026-03-01")),
        ("params:\n  day: !r Sys.Date() - 1\n", Parameter(name="day", input="date", expression="Sys.Date() - 1")),
        ("params:\n  n: !r 2 + 3\n", Parameter(name="n", expression="2 + 3")),
        (
            "params:\n  share:\n    label: How much\n    value: 0.5\n    input: slider\n"
            "    min: 0\n    max: 1\n    step: 0.1\n",
            Parameter(name="share", label="How much", input="slider", value=0.5, minimum=0.0, maximum=1.0, step=0.1),
        ),
        (
            "params:\n  region:\n    value: n\n    choices: {North: n, South: s}\n",
            Parameter(
                name="region",
                input="select",
                value="n",
                choices=(Choice(label="North", value="n"), Choice(label="South", value="s")),
            ),
        ),
        (
            "params:\n  years:\n    value: [1, 2]\n    choices: [1, 2]\n    multiple: yes\n",
            Parameter(
                name="years",
                input="select",
                value=[1, 2],
                choices=(Choice(label="1", value=1), Choice(label="2", value=2)),
                multiple=True,
            ),
        ),
        ("params:\n  data:\n    input: file\n    value: a.csv\n", Parameter(name="data", input="file", value="a.csv")),
        ("params:\n  odd:\n    value: 1\n    input: dance\n", Parameter(name="odd", input="numeric", value=1)),
        ("params:\n  big: .inf\n", Parameter(name="big", input="numeric", value=None)),
    ],
)
def test_a_header_says_what_can_be_given(params: str, expected: Parameter) -> None:
    assert of_header(header(params)) == (expected,)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("# Plain\n", "no header"),
        (header(""), "no params"),
        (header("params: north\n"), "params that are none"),
        ("---\nparams: {a: 1}\n", "a header without an end"),
        (header("params: [a\n"), "no YAML"),
        (header("a: &a [x, x]\nparams:\n  b: *a\n"), "an alias, with which a short text can be endless"),
        (header("params:\n  day: 2026-99-99\n"), "a date that is none"),
        (header("params: " + "[" * 5000 + "\n"), "too deep"),
    ],
)
def test_what_declares_nothing_has_none(text: str, why: str) -> None:
    assert of_header(text) == (), why


def notebook(*cells: dict[str, Any]) -> str:
    return json.dumps({"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def tagged(source: Any) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": source}


def test_a_tagged_cell_says_what_can_be_given() -> None:
    source = [
        "%matplotlib inline\n",
        "region = 'north'  # where\n",
        "n: int = 3\n",
        "when = today()\n",
        "a, b = 1, 2\n",
    ]
    other = {"cell_type": "code", "metadata": {}, "source": "region = 'south'"}
    assert of_notebook(notebook(other, tagged(source))) == (
        Parameter(name="region", value="north"),
        Parameter(name="n", input="numeric", value=3),
        Parameter(name="when", expression="today()"),
    )


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"cells": 3}', notebook({"cell_type": "code"}), notebook(tagged("a = (")), notebook(3)],  # type: ignore[arg-type]
)
def test_a_notebook_that_cannot_be_read_has_none(text: str) -> None:
    assert of_notebook(text) == ()


@given(st.text(max_size=300))
def test_no_header_is_more_than_can_be_sent(text: str) -> None:
    json.dumps([one.value for one in of_header(f"---\nparams:\n  a: {text}\n---\n")], allow_nan=False)


def test_a_file_is_read_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.Rmd").write_text(header("params:\n  year: 1\n"))
    (tmp_path / "a.ipynb").write_text(notebook(tagged("year = 1")))
    assert (
        of_file(tmp_path / "a.Rmd")
        == of_file(tmp_path / "a.ipynb")
        == (Parameter(name="year", input="numeric", value=1),)
    )
    assert of_file(tmp_path / "gone.Rmd") == of_file(tmp_path) == ()
    monkeypatch.setattr(parameters_declared, "_LARGEST_NOTEBOOK", 10)
    assert of_file(tmp_path / "a.ipynb") == ()


@pytest.mark.parametrize(
    "value",
    [
        "!!bool maybe",
        "!!int ''",
        "!!timestamp soon",
        "0x" + "f" * 9_000,
        "{value: 1, label: 0x" + "f" * 9_000 + "}",
        "{value: 1, min: 0x" + "f" * 9_000 + "}",
        r'"\uD800"',
        "[" * 100 + "]" * 100,
    ],
)
def test_a_header_of_nonsense_has_none(value: str) -> None:
    assert of_header(header(f"params:\n  a: {value}\n")) == ()


@pytest.mark.parametrize(
    "value", ["0x" + "f" * 9_000, "{(0x" + "f" * 9_000 + ",): 1}", "+".join(["b"] * 900), r"'\ud800'"]
)
def test_a_cell_of_nonsense_has_none(value: str) -> None:
    assert of_notebook(notebook(tagged(f"a = {value}"))) == ()


@pytest.mark.parametrize("value", ["!!bool maybe", "!!timestamp soon", "{0x" + "f" * 9_000 + ": 1}"])
def test_nonsense_about_mail_says_nothing(tmp_path: Path, value: str) -> None:
    (tmp_path / "report.qmd").write_text(f"---\nrsc_email_subject: {value}\n---\n")
    assert parameters_declared.metadata_of_file(tmp_path / "report.qmd") == {}
