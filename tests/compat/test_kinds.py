"""Every kind, published by the unmodified client, answering on the Python it asked for."""

from __future__ import annotations

import json
import re

import pytest

from compat.conftest import ROOT, Publisher

pytestmark = [pytest.mark.compat, pytest.mark.xdist_group("compat")]

SAMPLES = sorted(path.parent.name for path in (ROOT / "samples").glob("*/sample.json"))


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_of_each_kind_is_published_and_opened(publisher: Publisher, name: str) -> None:
    told = json.loads((ROOT / "samples" / name / "sample.json").read_text())
    published = publisher.sample(name, None if told["kind"] == "static" else "3.11")
    page = publisher.server.get(published.path)
    assert page.status == 200, page.text[-2000:]
    assert publisher.server.get(f"/__api__/v1/content/{published.guid}").status == 200


@pytest.mark.parametrize("name", ["flask", "fastapi"])
@pytest.mark.parametrize("minor", ["3.9", "3.11", "3.13"])
def test_each_answers_its_own_version(publisher: Publisher, minors: list[str], name: str, minor: str) -> None:
    if minor not in minors:
        pytest.skip(f"no Python {minor} on this machine")
    published = publisher.sample(name, minor)
    answer = publisher.server.get(published.path + "version")
    assert answer.status == 200, answer.text[-2000:]
    version = json.loads(answer.text)["version"]
    assert re.match(re.escape(minor) + r"\.\d+", version)
    assert f"Using Python {version}" in published.output
