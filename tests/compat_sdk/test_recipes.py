"""The recipes of the how-to, run as they stand there, one after the other."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import interpreters
from support.server import running_server

pytestmark = [pytest.mark.compat, pytest.mark.server]
PAGE = Path(__file__).parents[2] / "docs" / "howto" / "posit-sdk.md"

SAID = {
    "Ask who you are": r"administrator",
    "Publish": r"^0 ",
    "Find content": r"Sales.*/content/[0-9a-f-]{36}/",
    "Describe it and give it an address": r"Sales by region /sales/",
    "Set variables": r"\['TOKEN'\]",
    "Add people and groups": r"^2 \['eve'\]",
    "Share it": r"\('group', 'owner'\)",
    "Tag it": r"\['Sales', 'North'\] \['sales-report'\]",
    "Keep, compare and go back to earlier bundles": r"False\), \('\d+', True\)",
    "See what runs and what it said": r"python_restore|run_|build",
    "Lock accounts and clean up": r"None",
}


def recipes() -> dict[str, str]:
    """Return the code under each heading; the beginning all of them share is put before it."""
    text = PAGE.read_text()
    blocks = re.findall(r"(?:^## (?P<name>.+?)$)?(?:(?!^## )[\s\S])*?```python\n(?P<code>[\s\S]*?)```", text, re.M)
    (_, start), *others = blocks
    return {name: start + code for name, code in others}


@pytest.fixture(scope="module")
def said(sdk: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Run all recipes in their order, on a server of their own; each builds on those before it."""
    found = {}
    python = interpreters.minor("3.11")
    assert python is not None, "the server of `sdk` has it"
    with running_server(tmp_path_factory.mktemp("recipes"), [python]) as own:
        fresh = replace(sdk, server=own)
        for name, code in recipes().items():
            try:
                found[name] = fresh.run(code)
            except AssertionError as why:
                found[name] = f"failed: {why}"
    return found


def test_every_recipe_is_here() -> None:
    assert list(recipes()) == list(SAID)
    assert len(SAID) >= 10


@pytest.mark.parametrize("name", SAID)
def test_recipe(said: dict[str, str], name: str) -> None:
    assert not said[name].startswith("failed: "), said[name]
    assert re.search(SAID[name], said[name]), said[name]
