"""WSGI applications see the request as the visitor made it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from rostra.runner.wsgi import UnderBasePath


def seen(environ: dict[str, Any], base_path: str = "/content/a/") -> dict[str, Any]:
    """Return the environ an application under ``base_path`` is given."""
    found: dict[str, Any] = {}

    def application(environ: dict[str, Any], start_response: object) -> Iterable[bytes]:
        found.update(environ)
        return []

    UnderBasePath(application, base_path)({"wsgi.url_scheme": "http", "HTTP_HOST": "h:3939", **environ}, print)
    return found


@pytest.mark.parametrize(
    ("path", "base_path", "script_name", "path_info", "why"),
    [
        ("/content/a/", "/content/a/", "/content/a", "/", "the root page"),
        ("/content/a", "/content/a/", "/content/a", "", "without the slash"),
        ("/content/a/x/y", "/content/a/", "/content/a", "/x/y", "below it"),
        ("/content/abc/", "/content/a/", "", "/content/abc/", "another item's path that begins alike"),
        ("/x", "/", "", "/x", "served at the root"),
        ("/caf\xc3\xa9/x", "/caf%C3%A9/", "/caf\xc3\xa9", "/x", "UTF-8 bytes as Latin-1, as WSGI has them"),
    ],
)
def test_the_base_path_is_the_script_name(
    path: str, base_path: str, script_name: str, path_info: str, why: str
) -> None:
    environ = seen({"PATH_INFO": path, "SCRIPT_NAME": ""}, base_path)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == (script_name, path_info)


def test_scheme_host_and_address_are_the_visitors() -> None:
    environ = seen(
        {
            "PATH_INFO": "/content/a/",
            "HTTP_X_FORWARDED_PROTO": "https",
            "HTTP_X_FORWARDED_HOST": "apps.example",
            "HTTP_X_FORWARDED_FOR": "6.6.6.6, 192.0.2.7",
        }
    )
    assert environ["wsgi.url_scheme"] == "https"
    assert (environ["HTTP_HOST"], environ["SERVER_NAME"], environ["SERVER_PORT"]) == (
        "apps.example",
        "apps.example",
        "443",
    )
    assert environ["REMOTE_ADDR"] == "192.0.2.7"


def test_a_strange_scheme_is_not_believed() -> None:
    assert seen({"PATH_INFO": "/content/a/", "HTTP_X_FORWARDED_PROTO": "javascript"})["wsgi.url_scheme"] == "http"


def test_the_port_is_taken_from_the_host() -> None:
    environ = seen({"PATH_INFO": "/content/a/"})
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("h", "3939")
