import pytest
import structlog
from support.api import World

from rostra.api import request_ids

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("path", "status"), [("v1/user", 200), ("server_settings", 200), ("nonsense", 404), ("v1/content/nothing", 404)]
)
async def test_every_answer_names_its_request(world: World, path: str, status: int) -> None:
    answer = await world.client("ada").get(path)
    assert answer.status_code == status
    assert len(answer.headers.get_list("x-request-id")) == 1
    assert answer.headers["x-request-id"]


async def test_two_requests_have_two_names(world: World) -> None:
    ada = world.client("ada")
    names = [(await ada.get("v1/user")).headers["x-request-id"] for _ in range(2)]
    assert names[0] != names[1]


@pytest.mark.parametrize(
    ("sent", "kept", "why"),
    [
        ("build-17/step.2", True, "a name of the client's own"),
        ("a" * 64, True, "as long as it may be"),
        ("a" * 65, False, "too long"),
        ("two words", False, "a log line could be misread"),
        ("a\tb", False, "not plain letters"),
        ("", False, "none"),
    ],
)
async def test_a_sound_name_of_the_clients_is_kept(world: World, sent: str, kept: bool, why: str) -> None:
    answer = await world.client("ada").get("v1/user", headers={"x-request-id": sent})
    assert (answer.headers["x-request-id"] == sent) is kept, why


async def test_lines_logged_meanwhile_carry_the_name() -> None:
    seen = {}

    async def app(scope: object, receive: object, send: object) -> None:
        seen.update(structlog.contextvars.get_contextvars())

    scope = {"type": "http", "headers": [(b"x-request-id", b"mine")]}
    await request_ids.Named(app)(scope, None, None)  # type: ignore[arg-type]
    assert seen == {"request": "mine"}
    assert structlog.contextvars.get_contextvars() == {}
