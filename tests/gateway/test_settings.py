from __future__ import annotations

import pytest

from rostra.gateway.settings import BadSettings, Settings, read_settings


def test_what_is_not_named_keeps_its_default() -> None:
    assert read_settings("{}") == Settings()
    assert read_settings('{"keep_alive_timeout": 5}').keep_alive_timeout == 5.0


def test_address_and_prefix() -> None:
    settings = read_settings('{"address": "https://a.test:8/rsc", "path_prefix": "/rsc/"}')
    assert (settings.origin, settings.prefix) == (b"https://a.test:8", b"/rsc")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[]", "not an object"),
        ("{", "not JSON"),
        ('{"adress": ""}', "an unknown name"),
        ('{"keep_alive_timeout": "5"}', "a text for a number"),
        ('{"keep_alive_timeout": true}', "a truth for a number"),
        ('{"address": "a.test"}', "no URL"),
        ('{"path_prefix": "rsc"}', "no path"),
        ('{"trusted_proxies": ["x"]}', "no network"),
        ('{"trusted_proxies": "10.0.0.1"}', "no list"),
    ],
)
def test_mistakes_are_said(text: str, why: str) -> None:
    with pytest.raises(BadSettings):
        read_settings(text)
