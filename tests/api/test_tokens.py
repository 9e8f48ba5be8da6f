import base64
import datetime as dt
import email.utils
import hashlib
import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from support.api import World, bundle, item_of

from rostra.auth import tokens_signed
from rostra.auth.tables import UsedSignature
from rostra.db.engine import transaction

pytestmark = pytest.mark.anyio
TOKEN = "T" + "0123456789abcdef" * 2
KEY = rsa.generate_private_key(65537, 2048)


def public(key: Any = KEY) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return base64.b64encode(key.public_key().public_bytes(serialization.Encoding.DER, form)).decode()


def headers(
    world: World, method: str, path: str, body: bytes = b"", *, key: Any = KEY, moved: dt.timedelta = dt.timedelta()
) -> dict[str, str]:
    """Sign as the editor extension does."""
    date = email.utils.format_datetime(world.clock.now() + moved, usegmt=True)
    checksum = base64.b64encode(hashlib.md5(body).digest()).decode()
    text = "\n".join((method, f"/__api__/{path}", date, checksum)).encode()
    signature = base64.b64encode(key.sign(text, padding.PKCS1v15(), hashes.SHA1())).decode()
    return {"date": date, "x-content-checksum": checksum, "x-auth-token": TOKEN, "x-auth-signature": signature}


async def ask(world: World, method: str, path: str, body: bytes = b"", **how: Any) -> httpx2.Response:
    return await world.client().ask(method, path, body or None, headers=headers(world, method, path, body, **how))


async def registered(world: World) -> Any:
    body = {"token": TOKEN, "public_key": public(), "user_id": 0}
    return await world.client().made("tokens", body)


async def claimed(world: World, name: str = "ada") -> None:
    await registered(world)
    async with transaction(world.live.sessions) as session:
        await tokens_signed.claim(session, TOKEN, world.users[name].id, world.clock.now())


async def test_a_pair_is_nobody_until_it_is_claimed(world: World) -> None:
    assert (await registered(world)) == {"token_claim_url": f"http://rostra.test/connect/claim/{TOKEN}"}
    assert (await ask(world, "GET", "v1/user")).status_code == 401
    async with transaction(world.live.sessions) as session:
        await tokens_signed.claim(session, TOKEN, world.users["ada"].id, world.clock.now())
    assert (await ask(world, "GET", "v1/user")).json()["username"] == "ada"


async def test_bodies_and_uploads_are_signed_too(world: World) -> None:
    await claimed(world)
    made = await ask(world, "POST", "v1/content", json.dumps({"title": "Sales"}).encode())
    assert made.status_code == 201
    sent = await ask(world, "POST", f"v1/content/{made.json()['guid']}/bundles", bundle())
    assert sent.status_code == 201
    assert (await ask(world, "GET", "v1/content?name=nobody".partition("?")[0])).status_code == 200


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda h: h | {"x-auth-token": "T" + "f" * 32}, "another token"),
        (lambda h: h | {"x-auth-signature": base64.b64encode(bytes(256)).decode()}, "no signature"),
        (lambda h: h | {"x-auth-signature": "%"}, "not even base64"),
        (lambda h: h | {"date": "Thu, 01 Jan 1970 00:00:00 GMT"}, "another date"),
        (lambda h: h | {"date": "yesterday"}, "no date"),
        (lambda h: h | {"x-content-checksum": base64.b64encode(bytes(16)).decode()}, "another body"),
        (lambda h: h | {"x-content-checksum": ""}, "no checksum"),
    ],
)
async def test_what_is_not_signed_right_is_refused(
    world: World, change: Callable[[dict[str, str]], dict[str, str]], why: str
) -> None:
    await claimed(world)
    sent = change(headers(world, "GET", "v1/user"))
    assert (await world.client().get("v1/user", headers=sent)).status_code == 401, why


@pytest.mark.parametrize("minutes", [-16, 16])
async def test_an_old_signature_is_refused(world: World, minutes: int) -> None:
    await claimed(world)
    assert (await ask(world, "GET", "v1/user", moved=dt.timedelta(minutes=minutes))).status_code == 401


async def test_a_signature_is_for_one_path_method_and_body(world: World) -> None:
    await claimed(world)
    body = b'{"title": "Sales"}'
    good = headers(world, "POST", "v1/content", body)
    client = world.client()
    assert (await client.post("v1/content", b'{"title": "Other"}', headers=good)).status_code == 401
    assert (await client.post("v1/groups", body, headers=good)).status_code == 401
    assert (await client.ask("PUT", "v1/users", body, headers=good)).status_code == 401
    world.clock.move(seconds=1)  # a signature that was shown with another body is used up all the same
    good = headers(world, "POST", "v1/content", body)
    assert (await client.post("v1/content", body, headers=good)).status_code == 201
    item = await item_of(world)
    sent = headers(world, "POST", f"v1/content/{item['guid']}/bundles", bundle())
    other = await client.post(f"v1/content/{item['guid']}/bundles", bundle(entrypoint="other"), headers=sent)
    assert other.status_code == 400


async def test_another_key_is_refused(world: World) -> None:
    await claimed(world)
    assert (await ask(world, "GET", "v1/user", key=rsa.generate_private_key(65537, 2048))).status_code == 401


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"token": "x", "public_key": public()}, 86),
        ({"token": TOKEN}, 86),
        ({"token": TOKEN, "public_key": "AAAA"}, 86),
        ({"token": TOKEN, "public_key": public(rsa.generate_private_key(65537, 1024))}, 86),
        ({}, 86),
    ],
)
async def test_a_bad_pair_is_refused(world: World, body: object, code: int) -> None:
    answer = await world.client().post("tokens", body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


async def test_a_pair_is_registered_and_claimed_once(world: World) -> None:
    await claimed(world)
    again = await world.client().post("tokens", {"token": TOKEN, "public_key": public()})
    assert (again.status_code, again.json()["code"]) == (400, 85)
    with pytest.raises(tokens_signed.TokenClaimed):
        async with transaction(world.live.sessions) as session:
            await tokens_signed.claim(session, TOKEN, world.users["bob"].id, world.clock.now())


async def test_a_pair_waits_for_an_hour(world: World) -> None:
    await registered(world)
    world.clock.move(hours=1, seconds=1)
    with pytest.raises(tokens_signed.NoSuchToken):
        async with transaction(world.live.sessions) as session:
            await tokens_signed.claim(session, TOKEN, world.users["bob"].id, world.clock.now())
    await registered(world)


async def test_a_pair_is_listed_and_revoked(world: World) -> None:
    await claimed(world)
    path = f"v1/users/{world.users['ada'].guid}/tokens"
    (row,) = await world.client("ada").read(path)
    assert row["token"] == TOKEN
    assert (await world.client("bob").get(path)).status_code == 403
    assert (await world.client("ada").ask("DELETE", f"{path}/{TOKEN}")).status_code == 204
    assert (await ask(world, "GET", "v1/user")).status_code == 401
    assert (await world.client("ada").ask("DELETE", f"{path}/{TOKEN}")).status_code == 404


async def test_a_signed_change_cannot_be_sent_again(world: World) -> None:
    await claimed(world)
    shown = headers(world, "POST", "v1/content", b"{}")
    first = await world.client().ask("POST", "v1/content", b"{}", headers=shown)
    again = await world.client().ask("POST", "v1/content", b"{}", headers=shown)
    assert (first.status_code, again.status_code, again.json()["code"]) == (201, 401, 30)
    assert "made already" in again.json()["error"]
    assert len(await world.client("ada").read("v1/content")) == 1
    world.clock.move(seconds=1)
    assert (await ask(world, "POST", "v1/content", b"{}")).status_code == 201


async def test_reading_with_one_signature_is_not_counted(world: World) -> None:
    await claimed(world)
    shown = headers(world, "GET", "v1/user")
    for _ in range(2):
        assert (await world.client().ask("GET", "v1/user", headers=shown)).status_code == 200


async def test_signatures_are_remembered_as_long_as_they_would_be_good(world: World) -> None:
    await claimed(world)
    ahead = headers(world, "POST", "v1/content", b"{}", moved=tokens_signed.SKEW)
    assert (await world.client().ask("POST", "v1/content", b"{}", headers=ahead)).status_code == 201
    world.clock.move(seconds=2 * tokens_signed.SKEW.total_seconds())
    assert (await world.client().ask("POST", "v1/content", b"{}", headers=ahead)).json()["code"] == 30
    await ask(world, "POST", "v1/content", b"{}")
    world.clock.move(seconds=1 + 2 * tokens_signed.SKEW.total_seconds())
    await ask(world, "POST", "v1/content", b"{}")
    async with transaction(world.live.reading) as session:
        assert len((await session.execute(sa.select(UsedSignature))).all()) == 1
