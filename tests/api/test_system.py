import dataclasses
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version
from support.api import World, bundle, item_of, live_item

from rostra.content import job_records
from rostra.db.engine import transaction
from rostra.execution.logs import LogFile
from rostra.runtimes.model import Runtime, RuntimeState

pytestmark = pytest.mark.anyio


def real(state: RuntimeState = RuntimeState.active, path: str = sys.executable) -> Runtime:
    return Runtime(version=Version("3.11.7"), executable=Path(path), target=Path(path), state=state)


@pytest.fixture
def with_runtime(world: World) -> Any:
    def use(runtime: Runtime) -> None:
        live = dataclasses.replace(world.live, runtimes=lambda: (runtime,))
        app: Any = world.app.routes[0].app  # type: ignore[attr-defined]
        while not hasattr(app, "state"):  # below what is wrapped around every request
            app = app._app
        app.state.services = live

    return use


@pytest.mark.parametrize(("path", "failed"), [(sys.executable, 0), ("/nowhere/python3", 1)])
async def test_a_run_comes_to_an_end_and_has_results(world: World, with_runtime: Any, path: str, failed: int) -> None:
    with_runtime(real(path=path))
    root = world.client("root")
    run = await root.made("v1/system/checks", {})
    assert list(run) == ["id", "start_time", "hostname", "status", "passed", "failed"]
    assert run["status"] == "done"
    assert await root.read("v1/system/checks") == [run]
    assert await root.read(f"v1/system/checks/{run['id']}") == run
    told = await root.read(f"v1/system/checks/{run['id']}/results")
    assert told["run"] == run
    python = [row for row in told["results"] if row["group"]["name"] == "python"]
    assert [row["passed"] for row in python] == [failed == 0]
    assert {"database", "storage", "execution"} <= {row["group"]["name"] for row in told["results"]}
    assert (await root.ask("DELETE", f"v1/system/checks/{run['id']}")).status_code == 204
    assert (await root.get(f"v1/system/checks/{run['id']}")).status_code == 404


async def test_what_content_takes_is_listed(world: World) -> None:
    item, root = await live_item(world), world.client("root")
    told = await root.read("v1/content/storage")
    one = await world.client("ada").read(f"v1/content/{item['guid']}/storage")
    assert told == {"results": [one], "current_page": 1, "total": 1}
    assert one["bundles"] == 1
    assert one["bundle_bytes"] > 100
    assert one["total_bytes"] == sum(one[f"{part}_bytes"] for part in ("bundle", "unpacked", "rendering", "log"))
    disk = await root.read("v1/system/storage")
    assert disk["free_bytes"] > 0
    assert (disk["bundles"]["total"], disk["bundles"]["active"], disk["bundles"]["inactive"]) == (1, 1, 0)
    assert disk["bundles"]["active_bytes"] == one["active_bundle_bytes"] == one["bundle_bytes"]
    await world.client("ada").made(f"v1/content/{item['guid']}/bundles", bundle())
    one = await world.client("ada").read(f"v1/content/{item['guid']}/storage")
    assert one["active_bundle_bytes"] + one["inactive_bundle_bytes"] == one["bundle_bytes"]
    assert 0 < one["inactive_bundle_bytes"] == (await root.read("v1/system/storage"))["bundles"]["inactive_bytes"]
    assert "bundles" in {row["name"] for row in disk["folders"]}


async def test_what_content_takes_besides_its_bundles_is_counted(world: World) -> None:
    small, large = await live_item(world), await item_of(world)
    for name, size in (("renderings", 900_000), ("jobs", 300_000)):
        folder = world.live.places.data_dir / name / large["guid"] / "1"
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(os.urandom(size))
    told = await world.client("root").read("v1/content/storage")
    assert [one["content_guid"] for one in told["results"]] == [large["guid"], small["guid"]]
    assert told["results"][0]["rendering_bytes"] >= 900_000
    assert told["results"][0]["log_bytes"] >= 300_000
    second = await world.client("root").read("v1/content/storage?page_number=2&page_size=1")
    assert (second["results"], second["total"]) == ([told["results"][1]], 2)
    disk = await world.client("root").read("v1/system/storage")
    folders = {row["name"]: row["bytes"] for row in disk["folders"]}
    assert folders["renderings"] >= 900_000
    assert disk["database_bytes"] > 50_000
    assert disk["complete"] is True


@pytest.mark.parametrize(("query", "count"), [("", 1), ("?active=true", 1), ("?active=false", 0)])
async def test_the_machines_that_run_content_say_when_they_were_seen(world: World, query: str, count: int) -> None:
    found = await world.client("root").read(f"v1/system/hosts{query}")
    assert [one["last_seen"] for one in found] == ["2026-09-01T12:00:00Z"] * count


async def test_what_waits_is_in_the_queue(world: World) -> None:
    item = await live_item(world)
    await world.client("ada").made(f"v1/content/{item['guid']}/deploy", {})
    told = await world.client("root").read("v1/queue")
    assert [(row["content_guid"], row["status"]) for row in told["results"]] == [(item["guid"], "waiting")]


async def job_of(world: World, *lines: str, error: str | None = None) -> str:
    item = await item_of(world)
    async with transaction(world.live.sessions) as session:
        path = world.live.places.log(item["guid"], "k")
        log = str(path.relative_to(world.live.places.data_dir))
        await job_records.begin(session, int(item["id"]), "run_fastapi_app", world.clock.now(), key="k", log=log)
        await job_records.end(session, "k", world.clock.now(), exit_code=0, error=error)
    kept = LogFile(path, 100_000, world.clock)
    for line in lines:
        kept.feed("out", f"{line}\n".encode())
    kept.close()
    return f"v1/content/{item['guid']}/jobs/k"


async def test_a_log_is_downloaded_and_followed_to_its_end(world: World) -> None:
    path, ada = await job_of(world, "one", "two"), world.client("ada")
    whole = await ada.get(f"{path}/download?filename=a/b%22.log")
    assert whole.text == "one\ntwo\n"
    assert whole.headers["content-disposition"] == 'attachment; filename="ab.log"'
    followed = await ada.get(f"{path}/tail")
    assert [line.count('"data"') for line in followed.text.splitlines()] == [1, 1]
    assert (await ada.read(f"{path}/log?maxLogLines=1"))["entries"][0]["data"] == "two"


async def test_an_error_is_shown_when_there_is_one(world: World) -> None:
    assert (await world.client("ada").get(f"{await job_of(world)}/error")).status_code == 204


async def test_why_a_job_failed(world: World) -> None:
    told = await world.client("ada").read(f"{await job_of(world, error='No room')}/error")
    assert told["summary"] == "No room"


async def test_execution_environments_are_records(world: World) -> None:
    root = world.client("root")
    body = {
        "title": "Py",
        "name": "python:3.11",
        "cluster_name": "Kubernetes",
        "python": {"installations": [{"path": "/usr/bin/python3", "version": "3.11.7"}]},
    }
    made = await root.made("v1/environments", body)
    assert list(made) == [
        *("id", "guid", "created_time", "updated_time", "title", "description", "cluster_name", "name"),
        *("environment_type", "matching", "supervisor", "managed_by", "python", "quarto", "r", "tensorflow"),
        "volume_mounts",
    ]
    assert await root.read("v1/environments") == [made]
    assert await world.client("ada").read(f"v1/environments/{made['guid']}") == made
    assert (await root.post("v1/environments", body)).json()["code"] == 175
    changed = await root.ask("PUT", f"v1/environments/{made['guid']}", {**body, "title": "Python", "matching": "exact"})
    assert (changed.json()["title"], changed.json()["matching"]) == ("Python", "exact")
    given = await root.made(f"v1/environments/{made['guid']}/permissions", {"user_guid": world.users["bob"].guid})
    assert await root.read(f"v1/environments/{made['guid']}/permissions") == [given]
    gone = await root.ask("DELETE", f"v1/environments/{made['guid']}/permissions/{given['guid']}")
    assert gone.status_code == 204
    assert (await root.ask("DELETE", f"v1/environments/{made['guid']}")).status_code == 204
    assert await root.read("v1/environments") == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"title": ""}, 168),
        ({"name": 7}, 171),
        ({"matching": "some"}, 172),
        ({"python": {"installations": [{"path": "x"}]}}, 173),
        ({"python": []}, 173),
    ],
)
async def test_a_bad_environment_is_refused(world: World, change: Any, code: int) -> None:
    answer = await world.client("root").post("v1/environments", {"title": "x", "name": "y", **change})
    assert (answer.status_code, answer.json()["code"]) == (400, code)
