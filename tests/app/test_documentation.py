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
