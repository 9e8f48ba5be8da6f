import pytest
from support.api import World, bundle, item_of, live_item

from rostra.content import job_records
from rostra.db.engine import transaction

pytestmark = pytest.mark.anyio
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


async def test_a_bookmark_is_ones_own(world: World) -> None:
    item = await item_of(world, access_type="logged_in")
    path, vic = f"v1/content/{item['guid']}/bookmark", world.client("vic")
    made = await vic.made(path)
    assert made == await vic.read(path)
    assert (await vic.post(path)).json()["code"] == 267
    assert (await world.client("ada").get(path)).status_code == 404
    shown = await vic.read(f"v1/content/{item['guid']}?include=bookmarked")
    assert shown["bookmarked"] is True
    assert (await vic.read("v1/search/content?q=is:bookmarked"))["total"] == 1
    assert (await vic.ask("DELETE", path)).status_code == 204
    assert (await vic.ask("DELETE", path)).status_code == 404


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0...", "image/jpeg"),
        (b"GIF89a...", "image/gif"),
        (b"RIFF1234WEBPVP8 ", "image/webp"),
    ],
)
async def test_a_picture_is_known_by_its_bytes(world: World, image: bytes, kind: str) -> None:
    item, ada = await item_of(world), world.client("ada")
    path = f"v1/content/{item['guid']}/thumbnail"
    for sent in (PNG, image):
        answer = await ada.ask("PUT", path, sent, headers={"content-type": "text/html"})
        assert answer.status_code == 204
    shown = await ada.get(f"applications/{item['guid']}/image")
    assert (shown.headers["content-type"], shown.content) == (kind, image)
    assert (await ada.ask("DELETE", path)).status_code == 204
    gone = await ada.ask("DELETE", path)
    assert (gone.status_code, gone.json()["code"]) == (404, 17)
    assert (await ada.get(f"applications/{item['guid']}/image")).status_code == 204


@pytest.mark.parametrize("image", [b"", b"<svg onload='x()'/>", b"<html>", b"RIFF1234WAVE"])
async def test_what_is_no_picture_is_refused(world: World, image: bytes) -> None:
    item = await item_of(world)
    assert (await world.client("ada").ask("PUT", f"v1/content/{item['guid']}/thumbnail", image)).status_code == 400


async def test_a_picture_has_a_bounded_size(world: World) -> None:
    item = await item_of(world)
    answer = await world.client("ada").ask("PUT", f"v1/content/{item['guid']}/thumbnail", PNG + bytes(10_000_000))
    assert answer.status_code == 413


async def test_a_restart_ends_what_runs_and_nothing_else(world: World) -> None:
    item = await live_item(world)
    async with transaction(world.live.sessions) as session:
        for tag, key in (("run_fastapi_app", "running"), ("run_fastapi_app", "over"), ("python_restore", "building")):
            await job_records.begin(session, int(item["id"]), tag, world.clock.now(), key=key)
        await job_records.end(session, "over", world.clock.now(), exit_code=0)
    told = await world.client("ada").made(f"v1/content/{item['guid']}/restart")
    assert (told["ended_jobs"], world.stopped) == (["running"], ["running"])


async def test_what_has_no_processes_is_not_restarted(world: World) -> None:
    item = await item_of(world)
    answer = await world.client("ada").post(f"v1/content/{item['guid']}/restart")
    assert (answer.status_code, answer.json()["code"]) == (400, 147)


async def test_the_files_of_a_bundle_are_listed_and_shown(world: World) -> None:
    item, ada = await item_of(world), world.client("ada")
    made = await ada.made(f"v1/content/{item['guid']}/bundles", bundle())
    path = f"v1/content/{item['guid']}/bundles/{made['id']}/files"
    assert [(row["path"], row["size"]) for row in await ada.read(path) if row["path"] != "manifest.json"] == [
        ("app.py", 8),
        ("requirements.txt", 6),
    ]
    shown = await ada.get(f"{path}/app.py")
    assert (shown.content, shown.headers["content-type"]) == (b"app = 1\n", "application/octet-stream")
    assert shown.headers["content-disposition"] == "attachment"
    for missing in ("nothing.py", "../../../rostra.db", "%2e%2e/x"):
        answer = await ada.get(f"{path}/{missing}")
        assert answer.status_code == 404
    assert (await ada.get(f"{path}/nothing.py")).json()["code"] == 278


async def test_an_environment_somebody_else_changed_is_not_overwritten(world: World) -> None:
    root = world.client("root")
    made = await root.made("v1/environments", {"title": "one", "name": "image:1", "cluster_name": "Kubernetes"})
    path = f"v1/environments/{made['guid']}"
    read = {"if-match": (await root.get(path)).headers["etag"]}
    first = await root.ask("PUT", path, {**made, "title": "mine"}, headers=read)
    late = await root.ask("PUT", path, {**made, "title": "theirs"}, headers=read)
    assert (first.status_code, late.status_code, late.json()["code"]) == (200, 409, 80)
    assert (await root.read(path))["title"] == "mine"
    again = await root.ask("PUT", path, {**made, "title": "then"}, headers={"if-match": first.headers["etag"]})
    assert (again.status_code, again.json()["title"]) == (200, "then")
    assert (await root.ask("PUT", path, {**made, "title": "any"})).status_code == 200


@pytest.mark.parametrize(("mark", "status"), [("*", 200), ('"made-up"', 409), ('W/"x"', 409)])
async def test_marks_of_environments(world: World, mark: str, status: int) -> None:
    root = world.client("root")
    made = await root.made("v1/environments", {"title": "one", "name": "image:1", "cluster_name": "Kubernetes"})
    answer = await root.ask("PUT", f"v1/environments/{made['guid']}", made, headers={"if-match": mark})
    assert answer.status_code == status
