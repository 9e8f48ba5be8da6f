"""What the form for a document's values shows, and what it sends."""

from __future__ import annotations

from typing import Any

import pytest

from rostra.errors import Invalid
from rostra.web.item_run import shown, values

CHOICES = [{"label": "North", "value": "n"}, {"label": "South", "value": "s"}]


def one(name: str, kind: str, value: Any = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "label": "", "input": kind, "value": value, "choices": [], "multiple": False, **more}


DECLARED = [
    one("title", "text", "Harvest"),
    one("n", "numeric", 3),
    one("all", "checkbox", True),
    one("region", "select", "n", choices=CHOICES),
    one("regions", "select", ["n", "s"], choices=CHOICES, multiple=True),
    one("day", "date"),
    one("rest", "text", {"a": 1}),
    one("data", "file", "a.csv"),
]


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({}, {"all": False, "regions": []}),
        ({"p-title": " x ", "p-n": "4"}, {"title": " x ", "n": 4, "all": False, "regions": []}),
        ({"p-n": "4.5", "p-all": "on"}, {"n": 4.5, "all": True, "regions": []}),
        ({"p-region": "1", "p-regions-0": "0"}, {"region": "s", "all": False, "regions": ["n"]}),
        ({"p-region": "7", "p-day": " 2026-03-01 "}, {"all": False, "regions": [], "day": "2026-03-01"}),
        ({"p-rest": '{"a": 2}', "p-data": "b.csv"}, {"all": False, "regions": [], "rest": {"a": 2}}),
    ],
)
def test_what_is_filled_in_becomes_values(form: dict[str, str], expected: dict[str, Any]) -> None:
    assert values(DECLARED, form) == expected


@pytest.mark.parametrize(("form", "says"), [({"p-n": "four"}, "n must be a number"), ({"p-rest": "{"}, "not JSON")])
def test_what_cannot_be_is_refused(form: dict[str, str], says: str) -> None:
    with pytest.raises(Invalid, match=says):
        values(DECLARED, form)


def test_the_form_shows_what_was_filled_in_else_the_variants_values_else_the_defaults() -> None:
    assert [shown(each, {}, {}) for each in DECLARED[:6]] == ["Harvest", "3", True, [0], [0, 1], ""]
    assert [shown(each, {"n": 9, "region": "s", "all": False}, {}) for each in DECLARED[1:4]] == ["9", False, [1]]
    form = {"sent": "yes", "p-n": "four", "p-regions-1": "1"}
    assert [shown(each, {"n": 9}, form) for each in DECLARED[1:5]] == ["four", False, [], [1]]
