import json
import re
from collections.abc import Callable

import pytest
from starlette.requests import Request
from starlette.responses import Response
from support.web_services import HOSTILE

from rostra import errors
from rostra.web import pages
from rostra.web.responses import wants_html
from rostra.web.site import Site

SITE = Site(name="Rostra", prefix="/base")
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def _request(accept: str | None, path: str = "/content/x/", method: str = "GET", query: str = "") -> Request:
    headers = [(b"host", b"example.org")] + ([(b"accept", accept.encode())] if accept else [])
    return Request(
        {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": headers,
            "scheme": "https",
            "server": ("example.org", 443),
            "root_path": "",
        }
    )


Make = Callable[[Request], Response]
LINES = (HOSTILE,)
PAGES: dict[str, tuple[int, Make]] = {
    "not found": (404, lambda r: pages.not_found(SITE, r)),
    "not published": (404, lambda r: pages.not_published(SITE, r, title=HOSTILE, owner=HOSTILE)),
    "sign-in needed": (401, lambda r: pages.sign_in_needed(SITE, r)),
    "forbidden": (403, lambda r: pages.forbidden(SITE, r, title=HOSTILE, owner=HOSTILE, signed_in_as=HOSTILE)),
    "waiting": (
        503,
        lambda r: pages.waiting(SITE, r, title=HOSTILE, phase=HOSTILE, status_url="/s", lines=LINES, position=2),
    ),
    "failed to start": (
        502,
        lambda r: pages.failed_to_start(
            SITE, r, title=HOSTILE, owner=HOSTILE, reason=HOSTILE, lines=LINES, logs_url="/logs"
        ),
    ),
    "failed to render": (
        502,
        lambda r: pages.failed_to_render(SITE, r, title=HOSTILE, owner=HOSTILE, reason=HOSTILE, logs_url="/x"),
    ),
    "runtime gone": (
        502,
        lambda r: pages.runtime_gone(SITE, r, title=HOSTILE, owner=HOSTILE, version=HOSTILE, available=["3.11.7"]),
    ),
    "locked": (403, lambda r: pages.locked(SITE, r, title=HOSTILE, message=HOSTILE, owner=HOSTILE)),
    "at capacity": (503, lambda r: pages.at_capacity(SITE, r, title=HOSTILE)),
    "a problem": (409, lambda r: pages.of_problem(SITE, r, errors.Conflict(HOSTILE, hint=HOSTILE))),
}


def _text(response: Response) -> str:
    return bytes(response.body).decode()


@pytest.mark.parametrize("name", PAGES)
def test_every_page_has_its_status_in_both_forms(name: str) -> None:
    status, make = PAGES[name]
    page, twin = make(_request(BROWSER)), make(_request("*/*"))
    assert twin.status_code == status
    assert page.status_code == (303 if name == "sign-in needed" else status)


@pytest.mark.parametrize("name", [name for name in PAGES if name != "sign-in needed"])
def test_what_people_wrote_stays_text(name: str) -> None:
    html = _text(PAGES[name][1](_request(BROWSER)))
    assert "<script>alert" not in html
    assert html.count("</title>") == 1


@pytest.mark.parametrize("name", PAGES)
def test_the_twin_says_what_is_wrong_and_what_to_do(name: str) -> None:
    body = json.loads(_text(PAGES[name][1](_request("application/json"))))
    assert {"code", "problem", "error", "hint"} <= set(body)
    assert isinstance(body["code"], int)
    assert body["error"]
    assert body["hint"]


@pytest.mark.parametrize("name", [name for name in PAGES if name != "sign-in needed"])
def test_a_page_runs_only_what_carries_its_nonce(name: str) -> None:
    response = PAGES[name][1](_request(BROWSER))
    policy = response.headers["content-security-policy"]
    nonce = re.search(r"script-src 'nonce-([^']+)'", policy)
    assert nonce
    for tag in re.findall(r"<(?:script|link rel=\"stylesheet\")[^>]*>", _text(response)):
        assert f'nonce="{nonce[1]}"' in tag
    assert "unsafe" not in policy
    assert response.headers["cache-control"] == "no-store"


def test_pages_in_place_of_content_may_be_framed_and_ours_may_not() -> None:
    shown = pages.not_found(SITE, _request(BROWSER))
    ours = pages.of_problem(SITE, _request(BROWSER), errors.Conflict("x"))
    assert "x-frame-options" not in shown.headers
    assert ours.headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in ours.headers["content-security-policy"]


def test_a_waiting_page_says_when_to_come_back_and_refreshes_without_script() -> None:
    response = PAGES["waiting"][1](_request(BROWSER))
    assert response.headers["retry-after"] == "3"
    assert '<noscript><meta http-equiv="refresh" content="3"></noscript>' in _text(response)
    assert 'data-url="/s"' in _text(response)


def test_the_log_is_shown_only_to_those_who_may_see_it() -> None:
    html = _text(pages.failed_to_start(SITE, _request(BROWSER), title="T", owner="Grace", lines=None))
    assert "<pre" not in html
    assert "Grace" in html


def test_signing_in_brings_the_visitor_back() -> None:
    response = pages.sign_in_needed(SITE, _request(BROWSER, path="/content/x/a b", query="q=1&r=2"))
    assert response.headers["location"] == "/base/__login__?url=/base/content/x/a%2520b%3Fq%3D1%26r%3D2"


def test_a_post_without_a_session_is_not_sent_elsewhere() -> None:
    assert pages.sign_in_needed(SITE, _request(BROWSER, method="POST")).status_code == 401


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        (BROWSER, True),
        ("text/html", True),
        ("TEXT/HTML;q=0.5", True),
        ("text/html;q=0, application/json", False),
        ("application/json", False),
        ("*/*", False),
        ("text/*", False),
        ("", False),
        (None, False),
    ],
)
def test_only_browsers_get_html(accept: str | None, html: bool) -> None:
    assert wants_html(accept) is html


@pytest.mark.parametrize(
    ("family", "status"),
    [
        (errors.Invalid, 400),
        (errors.TooLarge, 413),
        (errors.NotSignedIn, 401),
        (errors.Forbidden, 403),
        (errors.NotFound, 404),
        (errors.Conflict, 409),
        (errors.Unavailable, 503),
        (errors.Gone, 502),
        (errors.Problem, 500),
    ],
)
def test_each_family_has_its_status(family: type[errors.Problem], status: int) -> None:
    assert pages.status_of(family("x")) == status


def test_a_message_becomes_a_sentence() -> None:
    assert pages.sentence("the kernel ended") == "The kernel ended."
    assert pages.sentence("Who?") == "Who?"
