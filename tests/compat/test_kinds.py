"""Every kind on three Pythons at once, published by the unmodified client, each answering its own version."""

from __future__ import annotations

import pytest
from compat.conftest import MINORS, Publisher
from support.publishing import SAMPLES, told
from support.speaking import got, version

pytestmark = [pytest.mark.compat, pytest.mark.xdist_group("compat")]

PROGRAMS = [name for name in SAMPLES if told(name)["kind"] != "static"]


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("minor", MINORS)
def test_each_kind_answers_its_own_version(publisher: Publisher, minors: list[str], name: str, minor: str) -> None:
    if minor not in minors:
        pytest.skip(f"no Python {minor} on this machine")
    published = publisher.sample(name, minor)
    said = version(publisher.server, name, published.path)
    assert said.startswith(f"{minor}.")
    assert f"Using Python {said}" in published.output, "the deploy log names it and says why"
    item = publisher.item(published.guid)
    assert (item["app_mode"], item["py_version"]) == (told(name)["kind"], said)


def test_files_are_served_as_they_are(publisher: Publisher) -> None:
    published = publisher.sample("html")
    assert "Static files, served as they are" in got(publisher.server, published.path)
    assert got(publisher.server, published.path + "assets/notes.js")
    assert publisher.item(published.guid)["py_version"] is None
