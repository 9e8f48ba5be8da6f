"""Nobody reads or changes what is not theirs: every operation and page, asked by everybody, for things that exist.

`api/test_authorisation.py` has what each operation is open to. Here the ids are real and each thing carries a word:
what must not be known is in no answer, whatever its status; what must not be changed is the same in the database.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from api.test_authorisation import ALL, OPEN, PERSONAL, VIEWABLE, Operation
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import Mount, Route
from support.api import Shelf, environment
from support.controlling import House
from support.estate import KEPT, PNG, SEEN, Estate, estate

from rostra.api.app import ROUTERS

pytestmark = pytest.mark.anyio

STRANGERS = ("vic", "bob", "spare")
READERS = ("reader", "colleague", "member", "ada, as a viewer")
ELSEWHERE = "00000000-0000-4000-8000-000000000000"
ABOUT_ITEMS = ("/v1/content/{guid}", "/applications/{guid}", "/variants/{variant_id}", "/schedules/{schedule_id}")
# What cannot succeed on a server like the one here, so that nobody can be shown to be allowed it.
IN_VAIN = {
    ("POST", "/v1/content/{guid}/access-test"): "the item is not open to everybody",
    ("POST", "/applications/{guid}/environment"): "another version of the variables is named",
    ("DELETE", "/v1/queue/{task_id}"): "the task is over",
    ("PUT", "/v1/users"): "there is no external directory",
    ("PUT", "/v1/groups"): "there is no external directory",
    ("POST", "/v1/bootstrap"): "there are people already",
    ("POST", "/v1/experimental/bootstrap"): "there are people already",
    ("POST", "/tokens"): "the key is not usable",
    ("POST", "/v1/oauth/integrations/credentials"): "the form is empty",
    ("GET", "/v1/oauth/sessions/{guid}"): "there is none",
    ("DELETE", "/v1/oauth/sessions/{guid}"): "there is none",
    ("POST", "/v1/oauth/integrations/{guid}/verify"): "it has no account of its own",
    ("POST", "/v1/rehearsals/{rehearsal_id}/rebuild"): "the rehearsal is not done",
    ("POST", "/v1/rehearsals/{rehearsal_id}/notify"): "no mail is sent",
    ("POST", "/v1/rehearsals/{rehearsal_id}/resume"): "it was not stopped",
    ("PUT", "/v1/user/password"): "the body is empty",
}
MENDED = ("/image", "/thumbnail", "{schedule_id}", "/{key}", "/{key_id}")  # several operations take these away
QUERIES = {"include": "owner,tags,vanity_url,bookmarked", "retire": "3.8", "q": SEEN, "search": SEEN, "limit": "500"}
QUERIES |= {"url": "https://127.0.0.1:1/x.git", "branch": "main"}


def _queries(dependant: Dependant) -> set[str]:
    own = {parameter.alias for parameter in dependant.query_params}
    return own.union(*(_queries(one) for one in dependant.dependencies))


TAKEN = {
    (method, route.path): _queries(route.dependant)
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in route.methods
}


@pytest.fixture
async def there(house: House) -> AsyncIterator[Estate]:
    house.shelves.store = Shelf(environment("k"))
    async with house.open() as world:
        yield await estate(world)


def ways(there: Estate, operation: Operation) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the addresses an operation is tried at, with what was put into each."""
    for fill in _fills(there, operation.path):
        path = operation.path.replace(":path}", "}").format_map(fill)
        yield f"/__api__{path}", fill
        every = {**QUERIES, "content_guid": there.guids["app"], "owner_guid": there.ids["user"]}
        every |= {"filter": f"name:{SEEN}-app", "variant_key": there.ids["private_variant"]}
        asked = {name: value for name, value in every.items() if name in TAKEN[operation.key]}
        if asked:
            yield f"/__api__{path}?{urlencode(asked)}", {**fill, **asked}


class _Fill(dict[str, str]):
    def __missing__(self, name: str) -> str:
        pytest.fail(f"support/estate.py has nothing for {{{name}}}: make one there, so that this route can be proven")


def _fills(there: Estate, path: str) -> Iterator[_Fill]:
    ids = there.ids
    usual = {**ids, "path": f"{KEPT}.txt"}
    if "{variant_id}" in path:
        for variant in ("variant_id", "private_variant_id"):
            yield _Fill(usual | {"variant_id": ids[variant]})
    elif path.startswith(("/v1/content/{guid}", "/applications/{guid}")):
        for subject, bundle in (("app", "bundle_id"), ("document", "document_bundle_id")):
            subjects = {**usual, "guid": there.guids[subject], "bundle_id": ids[bundle]}
            for key in {"{key}" in path: ("job", "running_job", "variant", "private_variant")}.get(True, ("job",)):
                yield _Fill(subjects | {"key": ids[key]})
    else:
        kinds = ("users", "groups", "environments", "integrations")
        kind = next((kind for kind in kinds if f"/{kind}/{{" in path), "")
        guid = {"users": "user", "groups": "group", "environments": "environment", "integrations": "integration"}
        yield _Fill(usual | {"guid": ids.get(guid.get(kind, ""), ELSEWHERE), "key": ids["template"]})


def _body(there: Estate, operation: Operation) -> Any:
    method, path = operation.key
    if path.endswith(("/bundles", "/upload")) and method == "POST":
        return there.world.control.tools.places.archive(there.guids["app"], int(there.ids["bundle_id"])).read_bytes()
    if path.endswith(("/thumbnail", "/image")) and method in {"PUT", "POST"}:
        return PNG
    if method == "GET":
        return None
    spare, number = there.ids["spare"], next(there.spare)
    bodies: dict[str, Any] = {
        "/v1/content/{guid}": {"description": f"changed {number}"},
        "/applications/{guid}": {"title": f"changed {number}"},
        "/v1/content/{guid}/permissions": {"principal_guid": spare, "role": "viewer"},
        "/v1/content/{guid}/permissions/{permission_id}": {
            "principal_guid": there.users["colleague"].guid,
            "role": "viewer",
        },
        "/v1/content/{guid}/vanity": {"path": f"/another-{number}/"},
        "/v1/content/{guid}/tags": {"tag_id": there.ids["tag_id"]},
        "/v1/content/{guid}/environment": [{"name": "A", "value": f"b{number}"}],
        "/v1/content/{guid}/oauth/integrations/associations": [],
        "/v1/content/{guid}/variants": {"name": f"v{number}"},
        "/v1/content/{guid}/variants/{key}": {"name": f"v{number}"},
        "/v1/content/{guid}/schedule": {"type": "day", "schedule": '{"N": 2}'},
        "/v1/content/{guid}/repository": {"repository": "https://127.0.0.1:1/x.git"},
        "/applications/{guid}/environment": {"version": 1, "values": {}},
        "/v1/system/documentation": {"content": "Hello"},
        "/v1/users/{guid}/keys": {"name": f"another {number}"},
        "/v1/users/{guid}/lock": {"locked": False},
        "/v1/users/{guid}": {"first_name": f"Ada {number}"},
        "/v1/users": {"username": f"somebody{number}"},
        "/v1/groups": {"name": f"Another {number}"},
        "/v1/groups/{guid}/members": {"user_guid": spare},
        "/v1/tags": {"name": f"another {number}"},
        "/v1/tags/{tag_id}": {"name": f"another {number}"},
        "/v1/oauth/integrations": {"template": "connect", "name": "x"},
        "/v1/oauth/integrations/{guid}": {"name": f"another {number}"},
        "/v1/environments": {"title": "x", "name": f"another-{number}"},
        "/v1/environments/{guid}": {"title": f"x{number}"},
        "/v1/environments/{guid}/permissions": {"user_guid": spare},
        "/v1/rehearsals": {"retire": "3.8"},
        "/v1/system/caches/runtime": {"language": "Python", "version": "3.11.7"},
        "/v1/system/service-tokens": {"name": f"t{number}", "scopes": ["server-settings:read"]},
        "/v1/tasks/send-test-email": {"to": "a@example.org"},
        "/variants/{variant_id}": {"name": f"v{number}"},
        "/variants/{variant_id}/subscribers": {"guid": spare},
        "/schedules": {"variant_id": int(there.ids["private_variant_id"]), "type": "day", "schedule": '{"N": 1}'},
        "/schedules/{schedule_id}": {"type": "day", "schedule": '{"N": 3}'},
    }
    return bodies.get(path, {})


class Findings(list[str]):
    """What should not be; ``check`` fails with all of it."""

    def check(self) -> None:
        assert not self, "\n".join(self)


def leaked(body: bytes, words: tuple[bytes, ...], known: dict[str, str]) -> list[bytes]:
    """Return the words in an answer that who asks did not say themselves."""
    for said in sorted(known.values(), key=len, reverse=True):
        body = body.replace(said.encode(), b"") if said else body
    return [word[:24] for word in words if word in body]


def missed(before: Any, after: Any) -> list[str]:
    """Return the rows that were there and are not any more."""
    return [f"{table}: {row}" for table, rows in before.items() for row in rows - after[table]]


async def test_everything_asked_for_here_can_be_had_by_who_may(there: Estate) -> None:
    """Each id is right: the owner, or an administrator, gets an answer. Otherwise refusals would prove nothing."""
    wrong = Findings()
    order = {"GET": 0, "DELETE": 2}
    for operation in sorted(ALL, key=lambda one: (order.get(one.method, 1), "repository" in one.path, -len(one.path))):
        answers = []
        if operation.method == "DELETE" and operation.path.endswith(
            ("/image", "/thumbnail", "{schedule_id}", "/{key}")
        ):
            await there.mend()
        for path, _ in ways(there, operation):
            for name in ("ada", "root"):
                answer = await there.ask(name, operation.method, path, _body(there, operation))
                answers.append((answer.status_code, answer.text[:200]))
                if answer.is_success:
                    break
            if answers[-1][0] < 300:
                break
        served = any(status < 300 for status, _ in answers)
        if served == (operation.key in IN_VAIN):
            wrong.append(f"{operation.key}: {answers}")
    wrong.check()


async def test_strangers_learn_nothing_and_change_nothing(there: Estate) -> None:
    wrong, before = Findings(), await there.records()
    for name, operation in itertools.product([None, *STRANGERS], ALL):
        for path, known in ways(there, operation):
            answer = await there.ask(name, operation.method, path, _body(there, operation))
            about = f"{name} {operation.method} {path}: {answer.status_code}"
            words = leaked(answer.content, there.hidden["strangers"], known)
            if words:
                wrong.append(f"{about} has {words}")
            if not _refused(name, operation, answer.status_code):
                wrong.append(about)
    wrong.extend(missed(before, await there.records()))
    wrong.check()


def _refused(name: str | None, operation: Operation, status: int) -> bool:
    """Return whether a stranger is answered as they should be."""
    if operation.key in OPEN:
        return status < 500
    if name is None:
        return status == 401
    if operation.path.startswith(ABOUT_ITEMS):
        return status == 404
    if operation.key in PERSONAL or operation.role is not None:
        return status == 403 if operation.key in PERSONAL else status < 500
    return status < 500


async def test_who_may_view_reads_no_more_and_changes_nothing(there: Estate) -> None:
    wrong, before = Findings(), await there.records()
    for name, operation in itertools.product(READERS, ALL):
        own = operation.key in PERSONAL or any(word in operation.path for word in ("variants", "/tasks", "keys"))
        if own and name.startswith("ada"):
            continue  # it is her own account, and what only she may see
        for path, known in ways(there, operation):
            answer = await there.ask(name, operation.method, path, _body(there, operation))
            about = f"{name} {operation.method} {path}: {answer.status_code}"
            words = leaked(answer.content, there.hidden["viewers"], known)
            if words:
                wrong.append(f"{about} has {words}")
            if operation.path.startswith(("/v1/content/{guid}", "/applications/{guid}")):
                fine = operation.key in VIEWABLE or answer.status_code in (403, 404)
            else:
                fine = answer.status_code < 500
            if not fine:
                wrong.append(about)
    gone = [row for row in missed(before, await there.records()) if not row.startswith("bookmarks")]
    wrong.extend(gone)
    wrong.check()


def addresses(there: Estate) -> Iterator[tuple[str, str, bool]]:
    """Yield method, path and whether who may view the item gets it, for every page and every address of content."""
    ids = there.ids
    for route in there.world.control.app.routes:
        if isinstance(route, Mount) or not isinstance(route, Route) or "{rest" in route.path:
            continue
        for guid in there.guids.values():
            fill = {"guid": guid, "pool": guid, "task": ids["task_id"], "token": ids["token"], "name": "none"}
            fill |= {"rehearsal": ids["rehearsal_id"]}
            fill |= {"key": ids["key_id"], "bundle": ids["bundle_id"], "path": ""}
            path = re.sub(r"\{(\w+)(?::\w+)?\}", lambda found, fill=fill: str(fill.get(found[1], "1")), route.path)
            for method in sorted((route.methods or set()) - {"HEAD"}):
                yield method, path, True
    app, document = (f"/content/{guid}/" for guid in there.guids.values())
    private = f"{document}v{ids['private_variant']}/"
    yield from (("GET", path, True) for path in (app, document, f"{app}__thumbnail__", f"/{SEEN}-path/"))
    yield ("GET", f"{document}_rev{ids['rendering']}/", True)
    yield ("GET", f"{document}v{ids['variant']}/", True)
    for path in (
        f"{app}_bundle{ids['bundle_id']}/",
        f"{app}_bundle{ids['live_bundle_id']}/",
        f"/__status__/{there.guids['app']}@{ids['bundle_id']}",
        f"{document}_bundle{ids['document_bundle_id']}/",
        f"{document}_rev{ids['draft_rendering']}/",
        f"{document}_rev{ids['draft_rendering']}/index.html",
        f"{document}_rev{ids['private_rendering']}/",
        f"{document}v{ids['variant']}/_rev{ids['draft_rendering']}/",
        private,
        f"{private}_rev{ids['private_rendering']}/",
        f"{private}_rev{ids['rendering']}/",
    ):
        yield "GET", path, False


async def test_pages_and_content_show_nothing_they_should_not(there: Estate) -> None:
    wrong, before = Findings(), await there.records()
    for name, (method, path, viewable) in itertools.product([None, *STRANGERS, *READERS[:3]], addresses(there)):
        words = there.hidden["viewers" if name in READERS else "strangers"]
        known = {part: part for part in [path, *path.split("/"), path.rsplit("@", 1)[0]]}
        if "logout" in path:
            continue
        answers = [await there.browse(name, method, path)]
        if method == "GET":
            answers.append(await there.ask(name, method, path))
        for answer in answers:
            about = f"{name} {method} {path}: {answer.status_code}"
            found = leaked(answer.content, words, known)
            if found:
                wrong.append(f"{about} has {found}")
            if answer.status_code in (500, 502) or (not viewable and answer.status_code == 200):
                wrong.append(about)
    wrong.extend(missed(before, await there.records()))
    wrong.check()


async def test_what_is_hidden_is_shown_to_who_may_change_it(there: Estate) -> None:
    """The addresses above are right: the collaborator and the owner get what is there."""
    document, ids = f"/content/{there.guids['document']}/", there.ids
    for name, path in (
        ("helper", f"{document}_rev{ids['draft_rendering']}/"),
        ("ada", f"{document}_rev{ids['draft_rendering']}/"),
        ("root", f"{document}_rev{ids['draft_rendering']}/"),
        ("ada", f"{document}v{ids['private_variant']}/"),
        ("ada", f"{document}v{ids['private_variant']}/_rev{ids['private_rendering']}/"),
        ("reader", f"{document}_rev{ids['rendering']}/"),
        ("reader", f"{document}"),
    ):
        answer = await there.ask(name, "GET", path)
        assert answer.status_code == 200, (name, path, answer.text)
        assert (KEPT if "draft" in path or name == "ada" else SEEN) in answer.text or name != "ada"
    draft = f"/content/{there.guids['app']}/_bundle{ids['bundle_id']}/"
    assert (await there.ask("helper", "GET", draft)).status_code != 403


async def test_private_variants_are_their_owners_alone(there: Estate) -> None:
    document, ids = f"/content/{there.guids['document']}/", there.ids
    for name in ("helper", "root"):
        for path in (f"v{ids['private_variant']}/", f"_rev{ids['private_rendering']}/"):
            assert (await there.ask(name, "GET", document + path)).status_code in (403, 404)


async def test_what_a_process_is_given_cannot_outlive_it(there: Estate) -> None:
    """Its key has its owner's rights for as long as it runs, so it must not become one that stays."""
    name, before = "ada's process", await there.records()
    answer = await there.ask(name, "POST", f"/__api__/v1/users/{there.ids['user']}/keys", {"name": "mine"})
    assert answer.status_code == 403
    form = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": "RSC-XSRF=x"}
    page = await there.ask(name, "POST", "/connect/keys", b"xsrf=x&name=mine&role=publisher", **form)
    assert page.status_code in (302, 303, 307, 401, 403)
    claimed = await there.ask(name, "POST", f"/connect/claim/{there.ids['token']}", b"xsrf=x", **form)
    assert claimed.status_code in (302, 303, 307, 401, 403)
    after = await there.records()
    assert after["api_keys"] == before["api_keys"]
    assert after["key_pairs"] == before["key_pairs"]


async def test_an_account_that_is_locked_opens_nothing(there: Estate) -> None:
    await there.made(f"v1/users/{there.ids['user']}/lock", {"locked": True}, "root")
    wrong = Findings()
    for name in ("ada", "ada, as a viewer", "ada's process"):
        for operation in ALL:
            path, _ = next(ways(there, operation))
            if operation.key not in OPEN:
                answer = await there.ask(name, operation.method, path, _body(there, operation))
                if answer.status_code != 401:
                    wrong.append(f"{name} {operation.method} {path}: {answer.status_code}")
        answer = await there.ask(name, "GET", f"/content/{there.guids['document']}/")
        if answer.status_code != 401:
            wrong.append(f"{name} reads the document: {answer.status_code}")
    wrong.check()


async def test_a_former_owner_has_nothing_left(there: Estate) -> None:
    for guid in there.guids.values():
        await there.made(f"v1/content/{guid}", {"owner_guid": there.users["bob"].guid}, method="PATCH")
    wrong = Findings()
    for operation in ALL:
        if operation.path.startswith(("/v1/content/{guid}", "/applications/{guid}")):
            for path, _ in ways(there, operation):
                answer = await there.ask("ada", operation.method, path, _body(there, operation))
                if answer.status_code != 404:
                    wrong.append(f"{operation.method} {path}: {answer.status_code}")
    wrong.check()
