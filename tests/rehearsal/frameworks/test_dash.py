from __future__ import annotations

import pytest

from rostra.rehearsal.frameworks.dash import call_of, values_of

LAYOUT = {"props": {"children": [{"props": {"id": "n", "value": 3}}, {"props": {"id": "told"}}]}}


def callback(output: str = "told.children", **more: object) -> dict[str, object]:
    return {"output": output, "inputs": [{"id": "n", "property": "value"}], "state": [], **more}


def test_a_callback_is_called_as_a_browser_first_does() -> None:
    values = values_of(LAYOUT)
    call = call_of(callback(), values)
    assert call is not None
    assert call["inputs"] == [{"id": "n", "property": "value", "value": 3}]
    assert call["outputs"] == {"id": "told", "property": "children"}
    many = call_of(callback("..told.children...n.value@x.."), values)
    assert many is not None
    assert many["outputs"] == [{"id": "told", "property": "children"}, {"id": "n", "property": "value"}]


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (callback(prevent_initial_call=True), "it says so"),
        (callback(clientside_function={"namespace": "x"}), "the browser does that itself"),
        (callback("gone.children"), "its output is not on the page"),
        (callback('{"index":["ALL"]}.children'), "it is for a pattern"),
        (callback(inputs=[{"id": "gone", "property": "value"}]), "its input is not on the page"),
        (callback(inputs=[]), "nothing triggers it"),
    ],
)
def test_callbacks_a_browser_does_not_call_first(told: dict[str, object], why: str) -> None:
    assert call_of(told, values_of(LAYOUT)) is None, why
