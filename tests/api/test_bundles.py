import base64
import dataclasses
import gzip
import hashlib
import json
from collections.abc import AsyncIterator

import pytest
from support.api import World, bundle, item_of, live_item
from support.bundles import archive, member

from rostra.content.tables import Item

pytestmark = pytest.mark.anyio
COLUMNS = [
    *(
        "id",
        "content_guid",
        "created_time",
        "created_by",
        "created_by_name",
        "created_by_user",
        "cluster_name",
        "image_name",
    ),
    *("environment_guid", "r_version", "r_environment_management", "py_version", "py_environment_management"),
    *("quarto_version", "node_version", "active", "size", "metadata"),
]


async def pieces(data: bytes, size: int = 100) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def bundles_of(world: World) -> str:
    return f"v1/content/{(await item_of(world))['guid']}/bundles"


async def test_a_chunked_body_without_a_type_is_a_bundle(world: World) -> None:
    path, data = await bundles_of(world), bundle()
    answer = await world.client("ada").http.post(path, content=pieces(data))
    assert "content-type" not in answer.request.headers
    assert "content-length" not in answer.request.headers
    made = answer.json()
    assert answer.status_code == 201
    assert list(made) == COLUMNS
    assert made["id"].isdecimal()
    assert (made["active"], made["size"], made["created_by_name"]) == (False, len(data), "ada")
    assert made == await world.client("ada").read(f"{path}/{made['id']}")


@pytest.mark.parametrize("kind", ["application/gzip", "application/x-tar", "application/octet-stream", "text/plain"])
async def test_any_media_type_is_a_bundle(world: World, kind: str) -> None:
    path = await bundles_of(world)
    assert (await world.client("ada").post(path, bundle(), headers={"content-type": kind})).status_code == 201


def form(*parts: tuple[str, bytes]) -> tuple[bytes, dict[str, str]]:
    boundary = "0123456789abcdef0123456789abcdef"
    body = b""
    for disposition, content in parts:
        body += f"--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n".encode() + content + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), {"content-type": f"multipart/form-data; boundary={boundary}"}


ARCHIVE = 'name="archive"; filename="bundle.tar.gz"\r\nContent-Type: application/x-tar'
SOURCE = {"source": "git", "source_repo": "https://x/y", "source_commit": "abc-dirty", "team": "sales"}


@pytest.mark.parametrize("archive_first", [True, False])
@pytest.mark.parametrize("size", [1, 7, 100_000])
async def test_a_form_is_a_bundle_with_its_source(world: World, archive_first: bool, size: int) -> None:
    path, data = await bundles_of(world), bundle()
    parts = [(ARCHIVE, data), ('name="metadata"', json.dumps(SOURCE).encode())]
    body, headers = form(*(parts if archive_first else parts[::-1]))
    answer = await world.client("ada").http.post(path, content=pieces(body, size), headers=headers)
    assert answer.status_code == 201, answer.text
    told = answer.json()["metadata"]
    assert {key: told[key] for key in SOURCE} == SOURCE
    assert told["archive_md5"] == hashlib.md5(data).hexdigest()
    downloaded = await world.client("ada").get(f"{path}/{answer.json()['id']}/download")
    assert downloaded.content == data


@pytest.mark.parametrize(
    ("parts", "code", "why"),
    [
        ([('name="metadata"', b"{}")], 211, "no archive"),
        ([(ARCHIVE, b"x"), ('name="metadata"', b"{")], 135, "the archive is judged first"),
        ([(ARCHIVE, bundle()), ('name="metadata"', b"{")], 87, "not JSON"),
        ([(ARCHIVE, bundle()), ('name="metadata"', b"[]")], 87, "not an object"),
        ([(ARCHIVE, bundle()), ('name="metadata"', b'{"a": 1}')], None, "a value that is no text"),
        ([(ARCHIVE, bundle()), ('name="metadata"', b" " * 300_000)], 125, "too much"),
        ([('name="other"', bytes(1_100_000)), (ARCHIVE, bundle())], 125, "too much of something else"),
    ],
)
async def test_a_bad_form_is_refused(world: World, parts: list[tuple[str, bytes]], code: int | None, why: str) -> None:
    path = await bundles_of(world)
    body, headers = form(*parts)
    answer = await world.client("ada").post(path, body, headers=headers)
    assert answer.status_code in (400, 413), why
    assert code is None or answer.json()["code"] == code, why
    assert await world.client("ada").read(path) == []


@pytest.mark.parametrize("cut", [10, 60, -3])
async def test_a_form_that_is_cut_short_is_refused(world: World, cut: int) -> None:
    path = await bundles_of(world)
    body, headers = form((ARCHIVE, bundle()))
    answer = await world.client("ada").post(path, body[:cut], headers=headers)
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("data", "code", "why"),
    [
        (b"", 135, "nothing"),
        (b"hello", 135, "not gzip"),
        (bundle()[:-20], 135, "cut short"),
        (gzip.compress(b""), None, "no manifest"),
        (archive(member("../../escaped", b"x")), 135, "leads out"),
        (bundle(version="x"), 38, "a manifest that cannot be understood"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",  # archives carry the time they were made
)
async def test_a_bad_bundle_is_refused_and_nothing_is_left(
    world: World, data: bytes, code: int | None, why: str
) -> None:
    guid = (await item_of(world))["guid"]
    answer = await world.client("ada").http.post(f"v1/content/{guid}/bundles", content=data)
    assert answer.status_code == 400, why
    assert code is None or answer.json()["code"] == code, why
    folder = world.live.places.bundles(guid)
    assert not folder.exists() or not list(folder.iterdir())


async def test_an_announced_checksum_is_checked(world: World) -> None:
    path, data = await bundles_of(world), bundle()
    right = base64.b64encode(hashlib.md5(data).digest()).decode()
    wrong = base64.b64encode(bytes(16)).decode()
    client = world.client("ada")
    assert (await client.post(path, data, headers={"x-content-checksum": right})).status_code == 201
    answer = await client.post(path, data, headers={"x-content-checksum": wrong})
    assert (answer.status_code, answer.json()["code"]) == (400, 104)


async def test_too_large_a_bundle_is_413_once_it_was_sent(world: World) -> None:
    settings = world.live.settings()
    small = dataclasses.replace(settings, applications=dataclasses.replace(settings.applications, max_bundle_size=1000))
    object.__setattr__(world.live, "settings", lambda: small)
    sent = 0

    async def many() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(50):
            sent += 1
            yield bytes(1000)

    answer = await world.client("ada").http.post(await bundles_of(world), content=many())
    assert (answer.status_code, answer.json()["code"]) == (413, 125)
    assert sent == 50


async def test_bundles_are_listed_newest_first(world: World) -> None:
    path, client = await bundles_of(world), world.client("ada")
    made = [(await client.made(path, bundle()))["id"] for _ in range(3)]
    assert [row["id"] for row in await client.read(path)] == made[::-1]


async def test_a_download_is_what_was_uploaded(world: World) -> None:
    path, client, data = await bundles_of(world), world.client("ada"), bundle()
    made = await client.made(path, data)
    answer = await client.get(f"{path}/{made['id']}/download")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/gzip"
    assert "content-encoding" not in answer.headers
    assert answer.content == data


async def test_a_lost_archive_is_said(world: World) -> None:
    path, client = await bundles_of(world), world.client("ada")
    made = await client.made(path, bundle())
    world.live.places.archive(path.split("/")[2], int(made["id"])).unlink()
    answer = await client.get(f"{path}/{made['id']}/download")
    assert (answer.status_code, answer.json()["code"]) == (404, 278)


async def test_an_inactive_bundle_can_be_deleted_with_its_files(world: World) -> None:
    path, client = await bundles_of(world), world.client("ada")
    made = await client.made(path, bundle())
    assert (await client.ask("DELETE", f"{path}/{made['id']}")).status_code == 204
    assert (await client.get(f"{path}/{made['id']}")).status_code == 404
    assert not world.live.places.archive(path.split("/")[2], int(made["id"])).exists()


async def test_the_live_bundle_stays(world: World) -> None:
    told = await live_item(world)
    path = f"v1/content/{told['guid']}/bundles"
    answer = await world.client("ada").ask("DELETE", f"{path}/{told['bundle_id']}")
    assert (answer.status_code, answer.json()["code"]) == (400, 75)
    assert (await world.client("ada").read(path))[0]["active"] is True


@pytest.mark.parametrize("number", ["0", "999", "x", "-1", "9" * 30, "1e3", "١"])
async def test_an_unknown_bundle(world: World, number: str) -> None:
    answer = await world.client("ada").get(f"{await bundles_of(world)}/{number}")
    assert (answer.status_code, answer.json()["code"]) == (404, 4)


async def test_another_item_s_bundle_is_not_found(world: World) -> None:
    one, other = await bundles_of(world), await bundles_of(world)
    made = await world.client("ada").made(one, bundle())
    assert (await world.client("ada").get(f"{other}/{made['id']}")).status_code == 404


async def test_locked_content_takes_no_bundle(world: World) -> None:
    path = await bundles_of(world)
    await world.change(Item, locked=True)
    answer = await world.client("ada").post(path, bundle())
    assert (answer.status_code, answer.json()["code"]) == (403, 222)


async def test_another_kind_is_refused_after_the_first_deploy(world: World) -> None:
    told = await live_item(world)
    answer = await world.client("ada").post(f"v1/content/{told['guid']}/bundles", bundle("python-dash"))
    assert (answer.status_code, answer.json()["code"]) == (403, 48)


async def test_old_bundles_go_when_only_some_are_kept(world: World) -> None:
    settings = world.live.settings()
    few = dataclasses.replace(
        settings, applications=dataclasses.replace(settings.applications, bundle_retention_limit=2)
    )
    object.__setattr__(world.live, "settings", lambda: few)
    path, client = await bundles_of(world), world.client("ada")
    made = [(await client.made(path, bundle()))["id"] for _ in range(4)]
    assert [row["id"] for row in await client.read(path)] == [made[3], made[2]]
    guid = path.split("/")[2]
    assert sorted(p.name for p in world.live.places.bundles(guid).iterdir()) == sorted(f"{n}.tar.gz" for n in made[2:])
