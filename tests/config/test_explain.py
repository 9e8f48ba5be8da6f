from __future__ import annotations

import json

import pytest

from rostra.config.explain import NoSuchSetting, explanation, listing
from rostra.config.load import evaluation

LOADED = evaluation(
    {
        "HOME": "/home/ada",
        "ROSTRA_POSTGRES_PASSWORD": "hunter2",
        "ROSTRA_PYTHON_INDEXURL": "https://ada:hunter2@index.example/simple",
        "ROSTRA_PYTHON_EXECUTABLE": "/a:/b",
    }
)


def test_a_listing_shows_values_and_sources_but_no_secret() -> None:
    rows = {row["name"]: row for row in listing(LOADED)}
    assert rows["Python.Executable"]["value"] == ["/a", "/b"]
    assert rows["Python.Executable"]["source"] == "variable ROSTRA_PYTHON_EXECUTABLE"
    assert rows["Server.DataDir"]["source"] == "evaluation server"
    assert rows["Postgres.Password"]["value"] == "(hidden)"
    assert "hunter2" not in json.dumps(listing(LOADED))


def test_an_explanation_tells_all() -> None:
    facts = explanation(LOADED, "python.versionmatching")
    assert facts["name"] == "Python.VersionMatching"
    assert facts["type"] == "one of major-minor, exact, nearest"
    assert facts["default"] == facts["value"] == "major-minor"
    assert facts["source"] == "default"
    assert facts["variable"] == "ROSTRA_PYTHON_VERSIONMATCHING"


def test_an_explanation_of_a_secret_hides_it() -> None:
    assert explanation(LOADED, "Postgres.Password")["value"] == "(hidden)"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Python.Executabel", "Did you mean Python.Executable?"),
        ("VersionMatching", "Did you mean Python.VersionMatching?"),
        ("zzz", "`rostra config show` lists them all."),
    ],
)
def test_an_unknown_name_has_a_hint(name: str, hint: str) -> None:
    with pytest.raises(NoSuchSetting) as caught:
        explanation(LOADED, name)
    assert caught.value.hint == hint
