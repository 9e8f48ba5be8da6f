"""What belongs to an item: variables, permissions, vanity paths, jobs, packages; and runtime caches."""

import pytest
import sqlalchemy as sa
from support.api import World, environment, item_of, live_item, row_of
from support.moments import NOON

from rostra.content import job_records, vanity
from rostra.content.tables import Variable
from rostra.db.engine import transaction
from rostra.execution.logs import LogFile

pytestmark = pytest.mark.anyio


async def path_of(world: World, **fields: object) -> str:
    return f"v1/content/{(await item_of(world, **fields))['guid']}"


class TestVariables:
    async def test_names_are_merged_sorted_and_removed(self, world: World) -> None:
        path, ada = f"{await path_of(world)}/environment", world.client("ada")
        assert (await ada.ask("PATCH", path, [{"name": "B", "value": "1"}, {"name": "A", "value": ""}])).json() == [
            "A",
            "B",
        ]
        assert (await ada.ask("PATCH", path, [{"name": "B", "value": None}, {"name": "C", "value": "x"}])).json() == [
            "A",
            "C",
        ]
        assert await ada.read(path) == ["A", "C"]

    async def test_a_replacement_replaces_all(self, world: World) -> None:
        path, ada = f"{await path_of(world)}/environment", world.client("ada")
        await ada.ask("PATCH", path, [{"name": "A", "value": "1"}])
        assert (await ada.ask("PUT", path, [{"name": "B", "value": "2"}])).json() == ["B"]
        assert (await ada.ask("PUT", path, [])).json() == []

    async def test_values_are_neither_shown_nor_stored_in_clear(self, world: World) -> None:
        path, ada = f"{await path_of(world)}/environment", world.client("ada")
        answer = await ada.ask("PATCH", path, [{"name": "A", "value": "hush-hush"}])
        assert "hush" not in answer.text
        async with transaction(world.live.reading) as session:
            assert "hush" not in (await session.execute(sa.select(Variable.value))).scalar_one()

    async def test_clients_restart_content_with_a_temporary_variable(self, world: World) -> None:
        path, ada = f"{await path_of(world)}/environment", world.client("ada")
        for value in ("x", None):
            assert (
                await ada.ask("PATCH", path, [{"name": "_CONNECT_RESTART_TMP_1", "value": value}])
            ).status_code == 200
        assert len(world.changed) == 2

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ([{"name": ""}], 266),
            ([{"name": "A B", "value": ""}], 25),
            ([{"name": "A", "value": 5}], 25),
            ([{"name": "PATH", "value": "x"}], 108),
            ([{"name": "A", "value": "1"}, {"name": "A", "value": "2"}], 149),
            ({"A": "1"}, 87),
            ([{"value": "1"}], 87),
        ],
    )
    async def test_bad_ones_are_refused(self, world: World, body: object, code: int) -> None:
        answer = await world.client("ada").ask("PATCH", f"{await path_of(world)}/environment", body)
        assert answer.status_code in (400, 409)
        assert answer.json()["code"] == code


class TestPermissions:
    async def test_one_is_given_changed_and_taken(self, world: World) -> None:
        path, ada = f"{await path_of(world)}/permissions", world.client("ada")
        body = {"principal_guid": world.users["bob"].guid, "principal_type": "user", "role": "viewer"}
        made = await ada.made(path, body)
        assert list(made) == ["id", "content_guid", "principal_guid", "principal_type", "role"]
        assert made == await ada.read(f"{path}/{made['id']}") == (await ada.read(path))[0]
        changed = (await ada.ask("PUT", f"{path}/{made['id']}", body | {"role": "owner"})).json()
        assert changed == made | {"role": "owner"}
        assert (await ada.ask("DELETE", f"{path}/{made['id']}")).status_code == 204
        assert await ada.read(path) == []
        assert len(world.changed) == 3

    async def test_a_viewer_who_was_given_it_sees_it(self, world: World) -> None:
        path = await path_of(world)
        body = {"principal_guid": world.users["vic"].guid, "principal_type": "user", "role": "viewer"}
        assert (await world.client("vic").get(path)).status_code == 404
        await world.client("ada").made(f"{path}/permissions", body)
        assert (await world.client("vic").read(path))["app_role"] == "viewer"

    @pytest.mark.parametrize(
        ("who", "kind", "role", "code"),
        [
            ("vic", "user", "owner", 33),
            ("ada", "user", "viewer", 34),
            ("bob", "user", "king", 25),
            ("bob", "group", "viewer", 153),
            ("bob", "robot", "viewer", 152),
        ],
    )
    async def test_bad_ones_are_refused(self, world: World, who: str, kind: str, role: str, code: int) -> None:
        body = {"principal_guid": world.users[who].guid, "principal_type": kind, "role": role}
        answer = await world.client("ada").post(f"{await path_of(world)}/permissions", body)
        assert answer.json()["code"] == code

    @pytest.mark.parametrize("number", ["0", "999", "x", "9" * 30])
    async def test_an_unknown_one(self, world: World, number: str) -> None:
        answer = await world.client("ada").get(f"{await path_of(world)}/permissions/{number}")
        assert (answer.status_code, answer.json()["code"]) == (404, 4)

    async def test_nobody_there(self, world: World) -> None:
        answer = await world.client("ada").post(f"{await path_of(world)}/permissions", {"role": "viewer"})
        assert (answer.status_code, answer.json()["code"]) == (404, 9)


class TestVanity:
    async def test_one_is_set_read_listed_and_removed(self, world: World) -> None:
        path, ada = await path_of(world), world.client("ada")
        answer = await ada.get(f"{path}/vanity")
        assert (answer.status_code, answer.json()["code"]) == (404, 4)
        made = (await ada.ask("PUT", f"{path}/vanity", {"path": "sales/report"})).json()
        assert made == {
            "content_guid": path.split("/")[2], "path": "/sales/report/", "created_time": "2026-09-01T12:00:00Z"
        }  # fmt: skip
        assert await ada.read(f"{path}/vanity") == made
        assert await ada.read("v1/vanities") == [made]
        assert await world.client("bob").read("v1/vanities") == []
        assert (await ada.ask("DELETE", f"{path}/vanity")).status_code == 204
        assert (await ada.get(f"{path}/vanity")).status_code == 404

    async def test_a_taken_one_moves_only_by_force(self, world: World) -> None:
        one, other, ada = await path_of(world), await path_of(world), world.client("ada")
        await ada.ask("PUT", f"{one}/vanity", {"path": "/sales/"})
        answer = await ada.ask("PUT", f"{other}/vanity", {"path": "/sales"})
        assert (answer.status_code, answer.json()["code"]) == (409, 51)
        assert "already in use" in answer.json()["error"]
        assert (await ada.ask("PUT", f"{other}/vanity", {"path": "/sales", "force": True})).status_code == 200
        assert (await ada.get(f"{one}/vanity")).status_code == 404
        assert set(world.changed) == {one.split("/")[2], other.split("/")[2]}

    async def test_force_takes_nothing_from_others(self, world: World) -> None:
        theirs, mine = await path_of(world), f"v1/content/{(await item_of(world, 'bob'))['guid']}"
        await world.client("ada").ask("PUT", f"{theirs}/vanity", {"path": "/sales/"})
        answer = await world.client("bob").ask("PUT", f"{mine}/vanity", {"path": "/sales/", "force": True})
        assert answer.status_code == 409

    async def test_setting_it_again_changes_nothing(self, world: World) -> None:
        path, ada = await path_of(world), world.client("ada")
        first = (await ada.ask("PUT", f"{path}/vanity", {"path": "/sales/"})).json()
        world.clock.move(hours=1)
        assert (await ada.ask("PUT", f"{path}/vanity", {"path": "/sales/"})).json() == first

    @pytest.mark.parametrize(
        "path",
        [
            *("", "/", None, 5, "/content/", "/Connect/x", "/__api__/", "/a b/", "/a/../b/", "/./a/", "/é/", "/a//b/"),
            *("/a%2f/", "/" + "x" * 260, "favicon.ico", "/a?b/", "/a\n/"),
        ],
    )
    async def test_bad_ones_are_refused(self, world: World, path: object) -> None:
        answer = await world.client("ada").ask("PUT", f"{await path_of(world)}/vanity", {"path": path})
        assert (answer.status_code, answer.json()["code"]) == (400, 52)

    @pytest.mark.parametrize("path", ["/a/", "a.b", "/A-1_~/x.y/...", "/contents/", "/connected/x"])
    def test_good_ones(self, path: str) -> None:
        assert vanity.normal(path) == f"/{path.strip('/')}/"


class TestJobs:
    async def job(self, world: World, guid: str) -> str:
        async with transaction(world.live.sessions) as session:
            item = await row_of(world, guid)
            job = await job_records.begin(session, item.id, "run_fastapi_app", NOON, pid=42, log="jobs/x.log")
        log = LogFile(world.live.places.data_dir / "jobs/x.log", 1_000_000, world.clock)
        log.feed("out", b"hello\nworld\n")
        log.feed("err", b"oops\n")
        log.say("stopped")
        log.close()
        return job.key

    async def test_a_job_is_listed_and_read(self, world: World) -> None:
        path, ada = await path_of(world), world.client("ada")
        key = await self.job(world, path.split("/")[2])
        (listed,) = await ada.read(f"{path}/jobs")
        assert listed == await ada.read(f"{path}/jobs/{key}")
        assert (listed["key"], listed["status"], listed["tag"], listed["pid"]) == (key, 0, "run_fastapi_app", "42")
        assert listed["end_time"] is None
        assert len(listed) == 24
        legacy = path.replace("v1/content", "applications")
        assert await ada.read(f"{legacy}/jobs") == [listed]
        assert await ada.read(f"{legacy}/job/{key}") == listed

    async def test_its_log_is_read(self, world: World) -> None:
        path, ada = await path_of(world), world.client("ada")
        key = await self.job(world, path.split("/")[2])
        entries = (await ada.read(f"{path}/jobs/{key}/log"))["entries"]
        assert [(entry["source"], entry["data"]) for entry in entries] == [
            ("stdout", "hello"), ("stdout", "world"), ("stderr", "oops"), ("stderr", "stopped")
        ]  # fmt: skip
        assert entries[0]["timestamp"] == "2026-09-01T12:00:00Z"
        assert [row["data"] for row in (await ada.read(f"{path}/jobs/{key}/log?maxLogLines=1"))["entries"]] == [
            "stopped"
        ]

    async def test_a_running_one_is_stopped_once(self, world: World) -> None:
        path, ada = await path_of(world), world.client("ada")
        key = await self.job(world, path.split("/")[2])
        told = (await ada.ask("DELETE", f"{path}/jobs/{key}")).json()
        assert (told["job_key"], world.stopped) == (key, [key])
        async with transaction(world.live.sessions) as session:
            await job_records.end(session, key, NOON, exit_code=0)
        answer = await ada.ask("DELETE", f"{path}/jobs/{key}")
        assert (answer.status_code, answer.json()["code"]) == (409, 163)
        finished = await ada.read(f"{path}/jobs/{key}")
        assert (finished["status"], finished["exit_code"]) == (2, 0)
        world.clock.move(hours=1)
        assert finished == await ada.read(f"{path}/jobs/{key}")

    async def test_another_item_s_job_is_not_found(self, world: World) -> None:
        one, other, ada = await path_of(world), await path_of(world), world.client("ada")
        key = await self.job(world, one.split("/")[2])
        for method, end in (("GET", ""), ("GET", "/log"), ("DELETE", "")):
            assert (await ada.ask(method, f"{other}/jobs/{key}{end}")).json()["code"] == 4


class TestPackages:
    async def test_the_lock_file_names_its_python(self, world: World) -> None:
        told = await live_item(world)
        answer = await world.client("ada").get(f"v1/content/{told['guid']}/lockfile")
        assert answer.text == "flask==3.0.0\n"
        assert answer.headers["content-type"].startswith("text/plain")
        assert answer.headers["generated-by"].partition("python=")[2] == "3.11.7"

    async def test_without_an_environment_there_is_none(self, world: World) -> None:
        answer = await world.client("ada").get(f"{await path_of(world)}/lockfile")
        assert (answer.status_code, answer.json()["code"]) == (400, 1)

    async def test_an_environment_without_packages_has_one_all_the_same(self, world: World) -> None:
        world.shelf.there["abc"] = environment(lock="")
        told = await live_item(world)
        assert (await world.client("ada").get(f"v1/content/{told['guid']}/lockfile")).text.startswith("#")

    async def test_an_item_s_packages(self, world: World) -> None:
        told = await live_item(world)
        (first, _) = await world.client("ada").read(f"v1/content/{told['guid']}/packages")
        assert first == {
            "language": "python", "language_version": "3.11.7", "name": "flask", "version": "3.0.0", "hash": None
        }  # fmt: skip
        assert await world.client("ada").read(f"{await path_of(world)}/packages") == []

    async def test_all_packages(self, world: World) -> None:
        told, ada = await live_item(world), world.client("ada")
        page = await ada.read("v1/packages?page_size=1000000&name=Flask")
        (row,) = page["results"]
        assert (page["total"], row["app_guid"], row["bundle_id"]) == (1, told["guid"], told["bundle_id"])
        assert (await ada.read("v1/packages?page_number=2&page_size=1"))["results"][0]["name"] == "werkzeug"
        assert (await world.client("bob").read("v1/packages"))["results"] == []


class TestCaches:
    ROW = {"language": "Python", "version": "3.11.7", "image_name": "Local"}  # noqa: RUF012

    async def test_they_are_listed(self, world: World) -> None:
        assert await world.client("root").read("v1/system/caches/runtime") == {"caches": [self.ROW]}

    async def test_a_dry_run_removes_nothing(self, world: World) -> None:
        answer = await world.client("root").ask("DELETE", "v1/system/caches/runtime", self.ROW | {"dry_run": True})
        assert answer.json() == self.ROW | {"dry_run": True, "task_id": None}

    async def test_a_removal_is_a_task(self, world: World) -> None:
        root = world.client("root")
        answer = await root.ask("DELETE", "v1/system/caches/runtime", self.ROW | {"language": "python"})
        task = answer.json()["task_id"]
        await world.play(outcome=None)
        assert (await root.read(f"v1/tasks/{task}"))["finished"]

    @pytest.mark.parametrize(
        "change", [{"version": "3.9.5"}, {"language": "R"}, {"image_name": "other"}, {"version": ""}]
    )
    async def test_an_unknown_one(self, world: World, change: dict[str, str]) -> None:
        answer = await world.client("root").ask("DELETE", "v1/system/caches/runtime", self.ROW | change)
        assert (answer.status_code, answer.json()["code"]) == (404, 4)

    async def test_they_are_an_administrator_s_business(self, world: World) -> None:
        assert (await world.client("ada").get("v1/system/caches/runtime")).json()["code"] == 22
