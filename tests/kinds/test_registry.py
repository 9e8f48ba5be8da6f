"""Kinds are found by the names and numbers clients use, and what Rostra does not run is refused in words."""

from __future__ import annotations

import pytest

from rostra.kinds import registry
from rostra.kinds.kind import Mode
from rostra.kinds.registry import KindNotRun, UnknownKind

WIRE = {
    "unknown": 0,
    "shiny": 1,
    "rmd-shiny": 2,
    "rmd-static": 3,
    "static": 4,
    "api": 5,
    "tensorflow-saved-model": 6,
    "jupyter-static": 7,
    "python-api": 8,
    "python-dash": 9,
    "python-streamlit": 10,
    "python-bokeh": 11,
    "python-fastapi": 12,
    "quarto-shiny": 13,
    "quarto-static": 14,
    "python-shiny": 15,
    "jupyter-voila": 16,
    "python-gradio": 17,
    "python-panel": 18,
    "nodejs": 20,
}


def test_every_kind_of_the_wire_is_there() -> None:
    assert {name: kind.number for name, kind in registry.ALL.items()} == WIRE


@pytest.mark.parametrize("name", WIRE)
def test_a_kind_is_found_by_name_and_by_number(name: str) -> None:
    assert registry.by_number(registry.by_name(name).number) is registry.by_name(name)


def test_a_number_nobody_defined_is_unknown_content() -> None:
    assert registry.by_number(19).name == "unknown"


def test_an_earlier_name_still_works() -> None:
    assert registry.by_name("nodejs-api").name == "nodejs"


@pytest.mark.parametrize(
    ("name", "guess", "why"),
    [
        ("python-fastap", "python-fastapi", "a letter short"),
        ("jupyter-statik", "jupyter-static", "a letter wrong"),
    ],
)
def test_a_misspelt_kind_is_answered_with_the_nearest(name: str, guess: str, why: str) -> None:
    with pytest.raises(UnknownKind) as caught:
        registry.by_name(name)
    assert caught.value.number == 148
    assert caught.value.hint == f"Did you mean {guess}?"


def test_a_name_like_none_lists_what_there_is() -> None:
    with pytest.raises(UnknownKind) as caught:
        registry.by_name("xyzzy")
    assert "python-fastapi" in caught.value.hint


@pytest.mark.parametrize("name", ["tensorflow-saved-model", "quarto-shiny", "nodejs", "unknown"])
def test_what_is_not_run_is_refused_with_a_sentence(name: str) -> None:
    with pytest.raises(KindNotRun) as caught:
        registry.runnable(name)
    assert caught.value.message.endswith(".")


@pytest.mark.parametrize(
    "kind", [kind for kind in registry.ALL.values() if not kind.refusal], ids=lambda kind: kind.name
)
def test_what_is_run_has_what_its_mode_needs(kind: registry.Kind) -> None:
    assert (kind.start is not None) == (kind.mode is Mode.interactive)
    assert registry.runnable(kind.name) is kind
    assert kind.mode is Mode.static or kind.job_tag != "unknown"
