"""The runner's command line."""

from __future__ import annotations

import pytest

from rostra.runner import options


@pytest.mark.parametrize(
    ("given", "base_path", "prefix", "why"),
    [
        ("/content/a/", "/content/a/", "/content/a", "as it should be"),
        ("content/a", "/content/a/", "/content/a", "slashes are added"),
        ("/", "/", "", "at the root"),
        ("/caf%C3%A9/", "/caf%C3%A9/", "/café", "applications see it decoded"),
    ],
)
def test_the_base_path_has_both_slashes(given: str, base_path: str, prefix: str, why: str) -> None:
    read = options.parse(["--kind=wsgi", "--entrypoint=app", "--socket=/s", f"--base-path={given}"])
    assert (read.base_path, read.prefix) == (base_path, prefix)


def test_an_unknown_kind_ends_the_process(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options.parse(["--kind=cobol", "--entrypoint=app", "--socket=/s", "--base-path=/"])
    assert "cobol" in capsys.readouterr().err
