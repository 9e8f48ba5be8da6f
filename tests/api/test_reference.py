import json
import re
from collections import Counter
from pathlib import Path

import pytest

from rostra.api import openapi_page, parameters, reference
from rostra.api.app import description

PAGES = Path(__file__).parents[2] / "docs" / "reference"
HOW = "run: python -m rostra.api.reference docs/reference"


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("errors.md", reference.errors_page),
        ("api.md", reference.routes_page),
        ("openapi.json", reference.openapi_text),
        ("left-out.md", reference.left_out_page),
    ],
)
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


def test_every_operation_has_a_name_of_its_own() -> None:
    made = description()
    names = [operation["operationId"] for methods in made["paths"].values() for operation in methods.values()]
    assert [name for name, count in Counter(names).items() if count > 1] == []
    assert len(names) > 150


def test_every_parameter_says_what_it_means() -> None:
    made = description()
    silent = {
        (one["name"], path)
        for path, methods in made["paths"].items()
        for operation in methods.values()
        for one in operation.get("parameters", [])
        if not one.get("description", "").endswith(".")
    }
    assert silent == set()


def test_no_parameter_is_explained_that_nothing_takes() -> None:
    made = description()
    taken = {
        one["name"]
        for methods in made["paths"].values()
        for operation in methods.values()
        for one in operation.get("parameters", [])
    }
    assert parameters.WORDS.keys() - taken == set()


def test_bodies_are_described_and_every_reference_leads_somewhere() -> None:
    made = description()
    body = made["paths"]["/v1/users"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert "username" in made["components"]["schemas"][body["$ref"].rpartition("/")[2]]["properties"]
    told = json.dumps(made)
    for name in set(re.findall(r"#/components/schemas/(\w+)", told)):
        assert name in made["components"]["schemas"]


def test_the_page_for_people_needs_nothing_from_elsewhere() -> None:
    page = openapi_page.page(description())
    assert "<script" not in page
    assert re.findall(r"(?:src|href)=[\"'](?!#|\.)[^\"']*", page) == []
    assert "url(" not in page
    assert "@import" not in page
    assert "GET /v1/content/{guid}" in page
