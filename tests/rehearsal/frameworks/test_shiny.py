from __future__ import annotations

from rostra.rehearsal.frameworks.shiny import _failures, _markup, inputs_of


def test_a_page_tells_what_its_inputs_begin_with() -> None:
    html = """
    <input id="n" type="number" value="3"><input id="r" type="number" value="2.5"><input id="e" type="number">
    <input id="t" type="text" value="x"><textarea id="a">long</textarea><input id="c" type="checkbox" checked>
    <select id="s"><option value="a"></option><option value="b" selected></option></select>
    <select id="m" multiple><option value="a" selected></option></select>
    <input id="l" class="js-range-slider" data-from="7" data-data-type="number">
    <input id="two" class="js-range-slider" data-from="1" data-to="2" data-type="double">
    <div id="out" class="shiny-plot-output"></div><input type="number" value="1">
    """
    told = {name: value for name, value in inputs_of(html).items() if not name.startswith(".clientdata_")}
    assert told == {
        "n:shiny.number": 3, "r:shiny.number": 2.5, "t": "x", "a": "long", "c": True, "s": "b", "m": ["a"],
        "l:shiny.number": 7,
    }  # fmt: skip
    assert inputs_of(html)[".clientdata_output_out_hidden"] is False


def test_an_output_that_waits_for_its_visitor_has_not_failed() -> None:
    waits = {"message": "", "call": "f()", "type": ["shiny.silent.error"]}
    lacks = {"message": "Choose one", "call": None, "type": ["validation", "shiny.silent.error"]}
    broke = {"message": "no sequence", "call": None, "type": None}
    assert _failures({"errors": {"a": waits, "b": lacks, "c": broke}}) == {"c": broke}
    assert _failures({"errors": [], "values": {}}) == {}


def test_what_outputs_make_of_the_page_is_part_of_it() -> None:
    told = {"values": {"page": {"html": '<div id="inner" class="shiny-text-output"></div>'}, "n": "3", "p": None}}
    assert inputs_of(_markup(told))[".clientdata_output_inner_hidden"] is False
