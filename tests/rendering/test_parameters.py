"""Parameters get into a notebook as its author would write them."""

import math
from typing import Any

import nbformat
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_notebook

from rostra.rendering.parameters import INJECTED, TAG, inject, literal

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def notebook(*cells: tuple[str, str]) -> Any:
    made = [new_code_cell(source=source, metadata={"tags": [tag]} if tag else {}) for source, tag in cells]
    return new_notebook(cells=made)


@given(VALUES)
def test_a_value_stays_what_it_is(value: Any) -> None:
    assert eval(literal(value), {"__builtins__": {"float": float}}) == value


def test_what_json_cannot_say_is_said_in_python() -> None:
    assert math.isnan(eval(literal(float("nan"))))


def test_the_cell_follows_the_tagged_one() -> None:
    made = notebook(("import os", ""), ("region = 'all'", TAG), ("print(region)", ""))
    said = inject(made, {"region": "west", "n": 3})
    assert [cell.source for cell in made.cells][2] == "# Parameters\nregion = 'west'\nn = 3"
    assert made.cells[2].metadata["tags"] == [INJECTED]
    assert "behind the cell" in said
    nbformat.validate(made)


def test_without_a_tag_it_comes_first() -> None:
    made = notebook(("print(region)", ""))
    assert "at the beginning" in inject(made, {"region": "west"})
    assert made.cells[0].source.endswith("region = 'west'")


def test_an_earlier_run_s_cell_is_replaced() -> None:
    made = notebook(("region = 'all'", TAG), ("region = 'old'", INJECTED), ("print(region)", ""))
    inject(made, {"region": "west"})
    assert [cell.source.rpartition("\n")[2] for cell in made.cells] == [
        "region = 'all'",
        "region = 'west'",
        "print(region)",
    ]
