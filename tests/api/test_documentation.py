import pytest
from support.api import World

from rostra.content import notices

pytestmark = pytest.mark.anyio
PATH = "v1/system/documentation"


async def test_it_is_written_read_and_removed(world: World) -> None:
    root = world.client("root")
    assert (await world.client("vic").get(PATH)).json()["code"] == 4
    assert (await root.made(PATH, {"content": "# One"}))["content"] == "# One"
    world.clock.move(hours=1)
    written = await root.made(PATH, {"content": "# Two"})
    assert written == {"content": "# Two", "updated_time": "2026-09-01T13:00:00Z"}
    assert await world.client("vic").read(PATH) == written
    for _ in range(2):
        assert (await root.ask("DELETE", PATH)).status_code == 204
    assert (await root.get(PATH)).status_code == 404


@pytest.mark.parametrize("content", ["", None, 7, "x" * (notices.LONGEST + 1), "a\0b"])
async def test_what_is_no_documentation(world: World, content: object) -> None:
    answer = await world.client("root").post(PATH, {"content": content})
    assert (answer.status_code, answer.json()["code"]) == (400, 255)
