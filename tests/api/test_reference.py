from collections import Counter
from pathlib import Path

import pytest

from rostra.api import reference

PAGES = Path(__file__).parents[2] / "docs" / "reference"
HOW = "run: python -m rostra.api.reference docs/reference"


@pytest.mark.parametrize(("name", "page"), [("errors.md", reference.errors_page), ("api.md", reference.routes_page)])
def test_the_page_is_what_the_code_says(name: str, page: object) -> None:
    assert (PAGES / name).read_text() == page(), HOW  # type: ignore[operator]


def test_every_code_is_used_once() -> None:
    counted = Counter(kind.code for kind in reference.problems())
    assert [code for code, count in counted.items() if count > 1] == []


def test_codes_and_numbers_have_their_form() -> None:
    for kind in reference.problems():
        assert set(kind.code) <= set("abcdefghijklmnopqrstuvwxyz0123456789-"), kind
        assert isinstance(kind.number, int), kind


def test_every_route_says_what_it_answers() -> None:
    rows = [line for line in reference.routes_page().splitlines() if line.startswith("| `")]
    assert len(rows) > 60
    assert [row for row in rows if row.endswith("|  |")] == []
