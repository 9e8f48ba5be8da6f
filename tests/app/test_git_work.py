"""Content from Git, from the API to the live version: real git, real queue, played processes."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from support import git_server
from support.controlling import ORIGIN, House, World
from support.git_server import MANIFEST, GitServer, Remote

from rostra.app import git_work
from rostra.app.git_polling import GitPolling
from rostra.config.sections import Settings
from rostra.content import bundles
from rostra.content.git import find
from rostra.content.tables import Bundle
from rostra.db.engine import transaction
from rostra.execution import logs
from rostra.jobs.tables import Task
from rostra.mail.tables import Mail

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(find(Settings()) is None, reason="git is not installed")]


@pytest.fixture
def house(house: House) -> House:
    """As root, git runs as another account, which reaches the tests' folders only through the sandbox."""
    config = house.folder / "rostra.gcfg"
    config.write_text(f"[Server]\nDataDir = {house.folder}\nAddress = {ORIGIN}\n")
    return house


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with git_server.serving(tmp_path) as made:
        yield made


@pytest.fixture
def remote(server: GitServer) -> Remote:
    return server.remote()


async def linked(world: World, remote: Remote, **more: Any) -> str:
    guid = await world.item()
    await world.api("PUT", f"content/{guid}/repository", {"repository": remote.url, "branch": "main", **more})
    return guid


async def deployed(world: World, guid: str, **more: Any) -> Any:
    asked = await world.api("POST", f"content/{guid}/deploy", {"bundle_id": None, **more})
    return await world.finished(asked["task_id"])


async def repository(world: World, guid: str) -> Any:
    return await world.api("GET", f"content/{guid}/repository")


async def polled(world: World) -> list[str]:
    """Let time pass until repositories are due, look at them, and return how the tasks ended."""
    world.house.clock.move(minutes=16)
    before = {task.id for task in await world.tasks()}
    await GitPolling(world.control.git).tick()
    found = [task for task in await world.tasks() if task.kind == git_work.POLL and task.id not in before]
    return [(await world.finished(task.id, "root"))["error"] for task in found]


async def page(world: World, guid: str) -> str:
    return (await world.get(f"/content/{guid}/")).text


async def test_a_directory_is_deployed_from_its_branch(world: World, remote: Remote) -> None:
    commit = remote.site("from git", folder="sites__one")
    guid = await linked(world, remote, directory="sites/one")
    assert await repository(world, guid) == {
        "repository": remote.url, "branch": "main", "directory": "sites/one", "polling": False,
        "last_error": None, "last_known_commit": None, "last_fetched_time": None,
    }  # fmt: skip
    done = await deployed(world, guid)
    assert (done["code"], done["error"]) == (0, "")
    assert any(commit in line for line in done["output"])
    assert "from git" in await page(world, guid)
    now = await repository(world, guid)
    assert (now["last_known_commit"], now["last_error"]) == (commit, None)
    assert now["last_fetched_time"]
    (made,) = await world.api("GET", f"content/{guid}/bundles")
    told = made["metadata"]
    assert (told["source"], told["source_repo"], told["source_branch"]) == ("git", remote.url, "main")
    assert told["source_commit"] == commit


async def test_the_fetch_is_a_job_with_a_log(world: World, remote: Remote) -> None:
    remote.site("one")
    guid = await linked(world, remote)
    await deployed(world, guid)
    job = next(job for job in (await world.jobs()).values() if job.tag == "git")
    assert (job.exit_code, job.ended_at is None) == (0, False)
    lines = [line.text for line in logs.read(world.house.folder / (job.log or ""))]
    assert any(remote.url in line for line in lines)


async def test_deploying_again_takes_what_is_there_now(world: World, remote: Remote) -> None:
    remote.site("one")
    guid = await linked(world, remote)
    await deployed(world, guid)
    remote.site("two")
    await deployed(world, guid)
    assert "two" in await page(world, guid)
    assert len(await world.api("GET", f"content/{guid}/bundles")) == 2


async def test_the_same_commit_makes_no_second_bundle(world: World, remote: Remote) -> None:
    remote.site("one")
    guid = await linked(world, remote)
    await deployed(world, guid)
    assert (await deployed(world, guid))["code"] == 0
    assert len(await world.api("GET", f"content/{guid}/bundles")) == 1


async def test_a_draft_leaves_what_is_live(world: World, remote: Remote) -> None:
    remote.site("one")
    guid = await linked(world, remote)
    await deployed(world, guid)
    remote.site("two")
    assert (await deployed(world, guid, activate=False))["code"] == 0
    assert "one" in await page(world, guid)


async def test_what_goes_wrong_is_kept_and_goes_with_the_next_success(world: World, remote: Remote) -> None:
    remote.commit(readme="no manifest")
    guid = await linked(world, remote)
    done = await deployed(world, guid)
    assert done["code"] == 1
    assert "write-manifest" in done["error"]
    assert "manifest.json" in (await repository(world, guid))["last_error"]
    remote.site("one")
    assert (await deployed(world, guid))["code"] == 0
    assert (await repository(world, guid))["last_error"] is None


async def test_a_deploy_that_fails_is_said_and_keeps_the_old_version(world: World, remote: Remote) -> None:
    remote.site("one")
    guid = await linked(world, remote, polling=True)
    await deployed(world, guid)
    broken = remote.commit(index_dot_html="x", manifest_dot_json={**MANIFEST, "metadata": {"appmode": "python-api"}})
    (error,) = await polled(world)
    assert error
    now = await repository(world, guid)
    assert now["last_known_commit"] == broken
    assert now["last_error"] == error
    assert "one" in await page(world, guid)
    jobs = len(await world.jobs())
    assert await polled(world) == [""], "the same commit is not tried again"
    assert len(await world.jobs()) == jobs
    assert (await repository(world, guid))["last_error"] == error


async def test_polling_deploys_what_changed(world: World, remote: Remote) -> None:
    remote.site("one")
    guid = await linked(world, remote, polling=True)
    await deployed(world, guid)
    newer = remote.site("two")
    assert await polled(world) == [""]
    assert "two" in await page(world, guid)
    assert (await repository(world, guid))["last_known_commit"] == newer


async def test_polling_looks_at_the_directory_alone(world: World, remote: Remote) -> None:
    remote.site("one", folder="site")
    guid = await linked(world, remote, polling=True, directory="site")
    await deployed(world, guid)
    newer = remote.commit(elsewhere="2")
    assert await polled(world) == [""]
    assert len(await world.api("GET", f"content/{guid}/bundles")) == 1
    assert (await repository(world, guid))["last_known_commit"] == newer


async def test_polling_without_a_new_commit_does_nothing(world: World, remote: Remote, server: GitServer) -> None:
    remote.site("one")
    guid = await linked(world, remote, polling=True)
    await deployed(world, guid)
    jobs = len(await world.jobs())
    assert await polled(world) == [""]
    assert len(await world.jobs()) == jobs


async def test_nothing_is_polled_before_the_first_deploy_or_without_polling(world: World, remote: Remote) -> None:
    remote.site("one")
    await linked(world, remote, polling=True)
    quiet = await linked(world, remote)
    await deployed(world, quiet)
    assert await polled(world) == []


async def test_polling_is_switched_on_and_off(world: World, remote: Remote) -> None:
    remote.site("one")
    guid = await linked(world, remote)
    await deployed(world, guid)
    assert (await world.api("PATCH", f"content/{guid}/repository", {"polling": True}))["polling"] is True
    remote.site("two")
    await until_deployed(world, guid, "two")
    await world.api("PATCH", f"content/{guid}/repository", {"polling": False})
    assert await polled(world) == []


async def until_deployed(world: World, guid: str, text: str) -> None:
    async with asyncio.timeout(60):
        while text not in await page(world, guid):
            await polled(world)


async def test_a_failed_poll_is_said_and_tried_again(world: World, remote: Remote, server: GitServer) -> None:
    remote.site("one")
    guid = await linked(world, remote, polling=True)
    await deployed(world, guid)
    server.down = True
    (error,) = await polled(world)
    assert "cannot be reached" in error
    assert "cannot be reached" in (await repository(world, guid))["last_error"]
    server.down = False
    assert await polled(world) == [""]
    assert (await repository(world, guid))["last_error"] is None


async def test_a_locked_item_is_not_polled(world: World, remote: Remote) -> None:
    remote.site("one")
    guid = await linked(world, remote, polling=True)
    await deployed(world, guid)
    await world.api("PATCH", f"content/{guid}", {"locked": True}, name="root")
    assert await polled(world) == []


async def test_a_bundle_of_a_commit_is_made_and_deployed_later(world: World, remote: Remote) -> None:
    first = remote.site("one")
    remote.site("two")
    guid = await linked(world, remote)
    await deployed(world, guid)
    asked = await world.api("POST", f"content/{guid}/repository/bundle", {"ref": first})
    done = await world.finished(asked["task_id"])
    assert (done["code"], done["result"]["data"]["bundle_id"]) == (0, asked["bundle_id"])
    assert "two" in await page(world, guid)
    await world.deploy(guid, int(asked["bundle_id"]))
    assert "one" in await page(world, guid)


async def test_a_bundle_that_cannot_be_made_is_taken_back(world: World, remote: Remote) -> None:
    remote.site("one")
    guid = await linked(world, remote)
    asked = await world.api("POST", f"content/{guid}/repository/bundle", {"ref": "nope"})
    done = await world.finished(asked["task_id"])
    assert "nope" in done["error"]
    assert (
        await world.ask("GET", f"/__api__/v1/content/{guid}/bundles/{asked['bundle_id']}", "ada")
    ).status_code == 404


async def test_a_start_takes_back_what_nobody_fills(world: World, remote: Remote) -> None:
    guid = await linked(world, remote)
    async with transaction(world.control.tools.sessions) as session:
        item = await world.row(guid)
        lost = await bundles.reserve(session, item, None, world.house.clock.now())
        kept = await bundles.reserve(session, item, None, world.house.clock.now())
        session.add(
            Task(id="t", kind=git_work.BUNDLE, payload={"bundle_id": kept.id}, created_at=world.house.clock.now())
        )
        await session.flush()
        await git_work.forget_unfilled(session)
        left = (await session.execute(sa.select(Bundle.id))).scalars().all()
        assert left == [kept.id]
        assert lost.id != kept.id
        await session.rollback()


async def test_branches_and_directories_are_tasks_with_a_result(world: World, remote: Remote) -> None:
    commit = remote.site("one", folder="a")
    for path, expected in (
        (
            f"branches?url={remote.url}",
            {"type": "git-repo-ref-branch-array", "data": [{"ref": commit, "branch": "main"}]},
        ),
        (f"manifest-dirs?url={remote.url}&branch=main", {"type": "git-repo-branch-manifest-dirs-array", "data": ["a"]}),
    ):
        asked = (await world.ask("GET", f"/__api__/repo/{path}", "ada")).json()
        assert (await world.finished(asked["task_id"]))["result"] == expected


async def test_a_changed_branch_starts_anew(world: World, remote: Remote) -> None:
    remote.site("one")
    git_server.git(remote.clone, "checkout", "-q", "-b", "next")
    remote.commit(branch="next", index_dot_html="next")
    guid = await linked(world, remote)
    await deployed(world, guid)
    now = await world.api("PATCH", f"content/{guid}/repository", {"branch": "next"})
    assert (now["branch"], now["last_known_commit"]) == ("next", None)
    await deployed(world, guid)
    assert "next" in await page(world, guid)


async def test_the_account_of_the_configuration_opens_private_repositories(
    house: House, server: GitServer, remote: Remote
) -> None:
    remote.site("private")
    server.account = ("ada", "s3cret-of-git")
    section = f"Host = 127.0.0.1:{server.port}\nUsername = ada\nPassword = s3cret-of-git\nProtocol = http\n"
    house.loaded()
    with (house.folder / "rostra.gcfg").open("a") as config:
        config.write(f'[GitCredential "forge"]\n{section}')
    async with house.open() as world:
        await world.people()
        guid = await linked(world, remote)
        done = await deployed(world, guid)
        assert (done["code"], done["error"]) == (0, "")
        assert "private" in await page(world, guid)
        account = await world.ask("GET", f"/__api__/repo/account?url={server.origin}", "ada")
        assert account.json() == {"username": "ada"}
    for path in house.folder.rglob("*"):
        if path.is_file() and path.name != "rostra.gcfg":
            assert b"s3cret-of-git" not in path.read_bytes(), path


@pytest.mark.parametrize("by", ["hand", "polling"])
async def test_what_an_orderly_stop_interrupts_goes_on_without_a_second_bundle(
    house: House, remote: Remote, by: str
) -> None:
    told = {
        "version": 1,
        "metadata": {"appmode": "python-fastapi", "entrypoint": "app:app"},
        "python": {"version": "3.11.4", "package_manager": {"name": "pip", "package_file": "r.txt"}},
    }
    remote.commit(manifest_dot_json=told, app_dot_py="app = 1\n", r_dot_txt="")
    async with house.open() as world:
        await world.people()
        secrets, guid = world.secrets, await linked(world, remote, polling=True)
        if by == "polling":
            assert (await deployed(world, guid))["code"] == 0
            commit = remote.commit(app_dot_py="app = 2\n")
        else:
            commit = remote.commit(app_dot_py="app = 3\n")
        house.shelves.gate, asked = asyncio.Event(), house.shelves.asked
        if by == "polling":
            house.clock.move(minutes=16)
            await GitPolling(world.control.git).tick()
        else:
            await world.api("POST", f"content/{guid}/deploy", {})
        async with asyncio.timeout(60):
            while house.shelves.asked == asked:
                await asyncio.sleep(0.01)
    house.shelves.gate.set()
    async with house.open() as world:
        world.secrets = secrets
        for task in await world.tasks():
            assert (await world.finished(task.id, "root"))["error"] == ""
        made = await world.api("GET", f"content/{guid}/bundles")
        assert [one["metadata"]["source_commit"] for one in made].count(commit) == 1
        assert made[0]["active"]
        now = await repository(world, guid)
        assert (now["last_known_commit"], now["last_error"]) == (commit, None)
        assert not [job for job in (await world.jobs()).values() if job.tag == "git" and job.ended_at is None]


async def test_a_bundle_the_disk_has_no_room_for_is_taken_back(
    world: World, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote.site("one")
    guid = await linked(world, remote)

    async def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(git_work.git_bundle, "pack", full)
    asked = await world.api("POST", f"content/{guid}/repository/bundle", {"ref": "main"})
    assert (await world.finished(asked["task_id"]))["code"] == 1
    assert await world.api("GET", f"content/{guid}/bundles") == []
    async with transaction(world.control.tools.reading) as session:
        assert (await session.execute(sa.select(sa.func.count()).select_from(Bundle))).scalar_one() == 0
    assert (await deployed(world, guid))["code"] == 1
    assert "No space left" in (await repository(world, guid))["last_error"]
    monkeypatch.undo()
    assert (await deployed(world, guid))["code"] == 0
    assert (await repository(world, guid))["last_error"] is None


@pytest.fixture
async def mailing(house: House) -> AsyncIterator[World]:
    """A server that writes mail into files, and people with addresses."""
    with (house.folder / "rostra.gcfg").open("a") as config:
        config.write("[Server]\nEmailProvider = file\nSenderEmail = rostra@example.org\n")
    async with house.open() as world:
        await world.people()
        for name in ("ada", "bob"):
            who = (await world.api("GET", "user", name=name))["guid"]
            await world.api("PUT", f"users/{who}", {"email": f"{name}@example.org"}, name="root")
        yield world


async def letters(world: World) -> list[tuple[str, str]]:
    """Return (to, text) of every mail that was asked for, in order."""
    async with transaction(world.control.tools.reading) as session:
        found = (await session.execute(sa.select(Mail).order_by(Mail.id))).scalars()
        return [(mail.recipient, mail.text) for mail in found]


async def followed(world: World, remote: Remote) -> str:
    """Return an item whose repository is polled, and in whose failures bob, who may not change it, is interested."""
    remote.site("one")
    guid = await linked(world, remote, polling=True)
    await deployed(world, guid)
    bob = (await world.api("GET", "user", name="bob"))["guid"]
    await world.api("PUT", f"content/{guid}/failure-subscribers/{bob}")
    return guid


async def test_who_must_know_is_mailed_once_when_polling_begins_to_fail(
    mailing: World, remote: Remote, server: GitServer
) -> None:
    await followed(mailing, remote)
    server.down = True
    for _ in range(3):
        assert "cannot be reached" in (await polled(mailing))[0]
    (to_ada, to_bob) = await letters(mailing)
    assert (to_ada[0], to_bob[0]) == ("ada@example.org", "bob@example.org")
    assert "cannot be reached" in to_ada[1]
    assert f"main of {remote.url}" in to_ada[1]
    assert "cannot be reached" not in to_bob[1]
    assert remote.url not in to_bob[1], "he may not change it"

    server.down = False
    assert await polled(mailing) == [""]
    assert len(await letters(mailing)) == 2
    server.down = True
    await polled(mailing)
    assert len(await letters(mailing)) == 4, "it had worked in between"


async def test_a_commit_that_polling_cannot_deploy_is_mailed_and_leaves_by_the_postman(
    mailing: World, remote: Remote
) -> None:
    await followed(mailing, remote)
    remote.commit(index_dot_html="x", manifest_dot_json={**MANIFEST, "metadata": {"appmode": "python-api"}})
    (error,) = await polled(mailing)
    await polled(mailing)
    assert [to for to, _ in await letters(mailing)] == ["ada@example.org", "bob@example.org"]
    assert error in (await letters(mailing))[0][1]
    async with asyncio.timeout(60):
        while len(list((mailing.house.folder / "mail").glob("*.eml"))) < 2:
            await asyncio.sleep(0.01)


async def test_who_asks_for_a_deploy_themselves_gets_no_mail(mailing: World, remote: Remote, server: GitServer) -> None:
    guid = await followed(mailing, remote)
    server.down = True
    assert (await deployed(mailing, guid))["code"] == 1
    await polled(mailing)
    assert await letters(mailing) == []
