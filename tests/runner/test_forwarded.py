"""What is believed of the visitor's whereabouts."""

from __future__ import annotations

import pytest

from rostra.runner import forwarded


@pytest.mark.parametrize(
    ("headers", "found", "why"),
    [
        ({}, (None, None, None), "nothing was said"),
        ({"x-forwarded-proto": "https"}, ("https", None, None), "encrypted on the way to the gateway"),
        ({"x-forwarded-proto": "gopher"}, (None, None, None), "no scheme of the web"),
        ({"x-forwarded-for": "6.6.6.6, 192.0.2.7"}, (None, None, "192.0.2.7"), "the last is what the gateway saw"),
        (
            {"x-forwarded-for": "192.0.2.7, 10.0.0.1", "x-real-ip": "192.0.2.7"},
            (None, None, "192.0.2.7"),
            "a proxy between",
        ),
        ({"x-forwarded-host": "apps.example"}, (None, "apps.example", None), "the name visitors use"),
        ({"x-forwarded-host": " , "}, (None, None, None), "empty"),
    ],
)
def test_what_the_gateway_says_is_read(headers: dict[str, str], found: tuple[str | None, ...], why: str) -> None:
    assert tuple(forwarded.read(headers.get)) == found
