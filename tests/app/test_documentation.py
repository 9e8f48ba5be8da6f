from urllib.parse import urljoin

import pytest
from support.controlling import World

from rostra.app.documentation import rendered

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("text", "not_in", "why"),
    [
        ("<script>alert(1)</script>", "<script", "HTML is shown, not run"),
        ("[x](javascript:alert(1))", 'href="javascript', "a link runs nothing"),
        ('<img src=x onerror="alert(1)">', "<img", "no markup of one's own"),
    ],
)
def test_text_of_people_runs_nothing(text: str, not_in: str, why: str) -> None:
    assert not_in not in rendered(text).lower(), why


def test_markdown_is_shown() -> None:
    assert "<h1>Rules</h1>" in rendered("# Rules")
    assert "<td>1</td>" in rendered("| a |\n|---|\n| 1 |\n")


async def test_whoever_is_signed_in_reads_it(world: World) -> None:
    await world.api("POST", "system/documentation", {"content": "# House rules"}, name="root")
    page = await world.get("/__docs__/user", "vic", accept="text/html")
    assert page.status_code == 200
    assert "<h1>House rules</h1>" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "House rules" not in (await world.get("/__docs__/user", accept="text/html")).text


async def test_without_any_it_leads_to_the_api(world: World) -> None:
    assert 'href="api"' in (await world.get("/__docs__/user", "vic")).text


@pytest.mark.parametrize("name", ["api", "admin", "user"])
async def test_the_contents_lead_to_each_page(world: World, name: str) -> None:
    contents = await world.get("/__docs__/")
    assert contents.status_code == 200
    assert f'href="{name}"' in contents.text
    assert (await world.get(f"/__docs__/{name}", "vic")).status_code == 200


@pytest.mark.parametrize(
    ("asked", "led_to"),
    [("/__docs__", "/__docs__/"), ("/__docs__/api/", "/__docs__/api"), ("/__docs__/admin/", "/__docs__/admin")],
)
async def test_one_slash_more_or_less_leads_to_the_page(world: World, asked: str, led_to: str) -> None:
    answer = await world.get(asked)
    assert answer.status_code == 307
    assert urljoin(f"https://x/prefix{asked}", answer.headers["location"]) == f"https://x/prefix{led_to}"


async def test_administrators_find_every_setting(world: World) -> None:
    page = await world.get("/__docs__/admin")
    assert "<code>DataDir</code>" in page.text
    assert "VersionMatching" in page.text
    assert "&lt;!--" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
