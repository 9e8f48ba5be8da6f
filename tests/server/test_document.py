"""What the server answers is what its own document says: every operation, asked by everybody, with what is invented.

`ROSTRA_SCHEMA_EXAMPLES` (3) is how many requests each operation gets from each person, `ROSTRA_SCHEMA_SEED` (0) which
ones; more of them by hand look deeper.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from support.accounts import account
from support.bundles import bundle
from support.server import Server

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("server"), pytest.mark.filterwarnings("ignore")]

EXAMPLES = int(os.environ.get("ROSTRA_SCHEMA_EXAMPLES", "3"))
SEED = int(os.environ.get("ROSTRA_SCHEMA_SEED", "0"))
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
PEOPLE = ("administrator", "publisher", "viewer", "nobody")
PAGE = {"metadata": {"appmode": "static", "primary_html": "index.html"}}
# What would only take time: it waits for news, or starts every interpreter there is.
NOT_SENT = {"wait"}
# What is sent where a body is no text: some of it is what it should be.
ARCHIVES = st.sampled_from([bundle({"index.html": "<p>y"}, **PAGE), bundle({"a.txt": "a"}), b"no archive", b""])
PICTURES = st.sampled_from([b"\x89PNG\r\n\x1a\n" + bytes(8), b"GIF89a" + bytes(8), b"no picture", b""])
schemathesis.openapi.media_type("application/gzip", ARCHIVES)
schemathesis.openapi.media_type("image/png", PICTURES, aliases=["image/jpeg", "image/gif", "image/webp"])
BOUNDED = hypothesis.settings(
    max_examples=EXAMPLES, database=None, deadline=None, suppress_health_check=list(hypothesis.HealthCheck)
)


@dataclass
class Known:
    """A server with some things in it. ``ids`` are real values of parameters by name, which requests often get."""

    server: Server
    keys: dict[str, str] = field(default_factory=dict)
    ids: dict[str, list[str]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def known(server: Server) -> Known:
    made = Known(server, {"administrator": server.key, "nobody": ""})
    for name in ("publisher", "viewer", "spare"):
        made.keys[name] = account(server, name, "viewer" if name == "spare" else name)
    spare = server.ask("/__api__/v1/users?prefix=spare")["results"][0]
    theirs = {"Authorization": f"Key {made.keys['publisher']}"}

    def ask(path: str, method: str = "GET", body: Any = None) -> Any:
        content = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        answer = server.get(f"/__api__/{path}", method=method, body=content, **theirs)
        assert answer.status < 300, answer.text
        return json.loads(answer.text) if answer.body else None

    item = ask("v1/content", "POST", {"name": "explored", "access_type": "logged_in"})
    path = f"v1/content/{item['guid']}"
    sent = ask(f"{path}/bundles", "POST", bundle({"index.html": "<p>x"}, **PAGE))
    task = ask(f"{path}/deploy", "POST", {"bundle_id": sent["id"]})["task_id"]
    server.wait_for(task)
    given = ask(f"{path}/permissions", "POST", {"principal_guid": spare["guid"], "role": "viewer"})
    group = ask("v1/groups", "POST", {"name": "Explorers"})
    tag = server.ask("/__api__/v1/tags", "POST", {"name": "Explored"})
    jobs = ask(f"{path}/jobs")
    variants = ask(f"{path}/variants")
    made.ids = {
        "guid": [item["guid"], spare["guid"], group["guid"]],
        "bundle_id": [sent["id"]],
        "task_id": [task],
        "permission_id": [given["id"]],
        "user_guid": [spare["guid"]],
        "tag_id": [tag["id"]],
        "key": [job["key"] for job in jobs] + [variant["key"] for variant in variants],
        "variant_id": [variant["id"] for variant in variants],
        "path": ["index.html"],
    }
    return made


@pytest.fixture(scope="module")
def schema(server: Server) -> Any:
    return schemathesis.openapi.from_dict(server.ask("/__api__/openapi.json"))


def operations(schema: Any) -> Iterator[Any]:
    for found in schema.get_all_operations():
        yield found.ok()


def fits(case: Any, ids: dict[str, list[str]], number: int) -> None:
    """Put real values where there are some, for two requests of three."""
    case.query = {name: value for name, value in (case.query or {}).items() if name not in NOT_SENT}
    if number % 3:
        for name in case.path_parameters or {}:
            if ids.get(name):
                case.path_parameters[name] = ids[name][number % len(ids[name])]


@dataclass
class Sender:
    """Sends what is invented as one person, and notes what the document does not say."""

    known: Known
    who: str
    session: requests.Session
    wrong: dict[str, str] = field(default_factory=dict)
    answered: set[int] = field(default_factory=set)

    def explore(self, operation: Any, mode: GenerationMode) -> None:
        @hypothesis.seed(SEED)
        @BOUNDED
        @hypothesis.given(operation.as_strategy(generation_mode=mode), st.integers(0, 11))
        def send(case: Any, number: int) -> None:
            fits(case, self.known.ids, number)
            self.send(operation.label, case)

        with contextlib.suppress(hypothesis.errors.Unsatisfiable):  # nothing misfitting can be made up for it
            send()

    def send(self, label: str, case: Any) -> Any:
        key = self.known.keys[self.who]
        headers = {"Authorization": f"Key {key}"} if key else {}
        base = self.known.server.url + "/__api__"
        answer = case.call(base_url=base, session=self.session, headers=headers, timeout=120)
        self.answered.add(answer.status_code)
        try:
            case.validate_response(answer, checks=CHECKS)
        except FailureGroup as group:
            for failure in group.exceptions:
                said = f"{failure.title}: {failure.message}".replace("\n", " ")[:300]
                self.wrong.setdefault(f"{label}: {said}", case.as_curl_command()[:300])
        return answer

    def check(self) -> None:
        assert not self.wrong, "\n".join(f"{what}\n    {how}" for what, how in sorted(self.wrong.items()))
        assert self.answered & {200, 401}


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fitting", "misfitting"])
@pytest.mark.parametrize("who", PEOPLE)
def test_every_answer_is_as_the_document_says(known: Known, schema: Any, who: str, mode: GenerationMode) -> None:
    with requests.Session() as session:
        sender = Sender(known, who, session)
        for operation in operations(schema):
            sender.explore(operation, mode)
    sender.check()


@pytest.mark.parametrize("who", PEOPLE)
def test_what_is_made_is_used_as_the_document_links_it(known: Known, schema: Any, who: str) -> None:
    """Follow the document's links from what was made to what can be done with it, in the order a machine invents."""
    with requests.Session() as session:
        sender = Sender(known, who, session)

        class Machine(schema.as_state_machine()):  # type: ignore[misc]
            def validate_response(self, response: Any, case: Any, **_: Any) -> None:
                sender.answered.add(response.status_code)
                try:
                    case.validate_response(response, checks=CHECKS)
                except FailureGroup as group:
                    for failure in group.exceptions:
                        said = f"{failure.title}: {failure.message}".replace("\n", " ")[:300]
                        sender.wrong.setdefault(f"{case.operation.label}: {said}", case.as_curl_command()[:300])

            def get_call_kwargs(self, case: Any) -> dict[str, Any]:
                key = known.keys[who]
                case.query = {name: value for name, value in (case.query or {}).items() if name not in NOT_SENT}
                headers = {"Authorization": f"Key {key}"} if key else {}
                base = known.server.url + "/__api__"
                return {"base_url": base, "headers": headers, "timeout": 120, "session": session}

        steps = hypothesis.settings(BOUNDED, max_examples=5 * EXAMPLES, stateful_step_count=8, derandomize=True)
        Machine.run(settings=steps)
    sender.check()
