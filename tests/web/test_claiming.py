import re
from collections.abc import AsyncIterator

import httpx2
import pytest
from support.web_services import SampleServices

pytestmark = pytest.mark.anyio
PATH = "/connect/claim/T123"


@pytest.fixture
def services() -> SampleServices:
    return SampleServices()


@pytest.fixture
async def client(services: SampleServices) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=services.app())
    async with httpx2.AsyncClient(
        transport=transport, base_url="https://rostra.example.org", headers={"accept": "text/html"}
    ) as made:
        yield made


def token_of(html: str) -> str:
    found = re.search(r'name="xsrf" value="([^"]*)"', html)
    assert found
    return found[1]


async def sign_in(client: httpx2.AsyncClient) -> None:
    shown = await client.get("/__login__")
    await client.post(
        "/__login__", data={"username": "ada", "password": "correct horse", "xsrf": token_of(shown.text), "url": ""}
    )


async def test_nobody_signs_in_first(client: httpx2.AsyncClient) -> None:
    answer = await client.get(PATH)
    assert answer.status_code in (302, 303)
    assert "/__login__" in answer.headers["location"]


async def test_a_person_confirms(client: httpx2.AsyncClient, services: SampleServices) -> None:
    await sign_in(client)
    shown = await client.get(PATH)
    assert services.claimed is None
    assert "T123" in shown.text
    answer = await client.post(PATH, data={"xsrf": token_of(shown.text)})
    assert answer.status_code == 200
    assert "signed in" in answer.text
    assert services.claimed == ("ada", "T123")


async def test_another_site_cannot_confirm(client: httpx2.AsyncClient, services: SampleServices) -> None:
    await sign_in(client)
    assert (await client.post(PATH, data={"xsrf": "guessed"})).status_code == 403
    assert services.claimed is None


async def test_what_does_not_wait_is_not_there(client: httpx2.AsyncClient) -> None:
    await sign_in(client)
    assert (await client.get("/connect/claim/T999")).status_code == 404
