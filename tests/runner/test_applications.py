"""Whether an object is called as ASGI or as WSGI is."""

from __future__ import annotations

from typing import Any

import pytest

from rostra.runner.applications import is_asgi


async def asgi_function(scope: Any, receive: Any, send: Any) -> None: ...


def wsgi_function(environ: Any, start_response: Any) -> None: ...


class AsgiClass:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


class AsgiPlainClass:
    """Decorated methods are no coroutine functions, but have three arguments."""

    def __call__(self, scope: Any, receive: Any, send: Any) -> Any: ...


class WsgiClass:
    def __call__(self, environ: Any, start_response: Any) -> Any: ...


class WsgiSubclass(WsgiClass):
    pass


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (asgi_function, True),
        (AsgiClass(), True),
        (AsgiPlainClass(), True),
        (AsgiClass().__call__, True),
        (wsgi_function, False),
        (WsgiClass(), False),
        (WsgiSubclass(), False),
        (42, False),
    ],
)
def test_asgi_is_told_from_wsgi(found: object, expected: bool) -> None:
    assert is_asgi(found) is expected
