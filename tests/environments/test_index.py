"""Where packages come from."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rostra.environments.index import IndexSettings, configured, mask, of_machine
from rostra.environments.requirement_options import Options


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A machine with pip's files in every place, each saying something else."""
    for place, text in {
        "etc/xdg/pip/pip.conf": "[global]\nindex-url = https://xdg/simple\ntimeout = 7\n",
        "etc/pip.conf": "[global]\nindex_url = https://etc/simple\nfind-links = /opt/wheels\n    https://links\n",
        "home/.pip/pip.conf": "[global]\ntrusted-host = old\n",
        "home/.config/pip/pip.conf": "[global]\nindex-url = https://user/simple\n[install]\npre = true\n",
        "named.conf": "[global]\nindex-url = https://named/simple\n",
        "broken.conf": "index-url = no section\n",
    }.items():
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def read(machine: Path, **environ: str) -> IndexSettings:
    return of_machine(environ, home=machine / "home", etc=machine / "etc")


def test_later_files_win_and_are_joined(machine: Path) -> None:
    found = read(machine)
    assert found.index_url == "https://user/simple"
    assert found.find_links == ("/opt/wheels", "https://links")
    assert (found.trusted_hosts, found.pre, found.timeout_seconds) == (("old",), True, 7)


def test_a_named_file_comes_after_all_others(machine: Path) -> None:
    assert read(machine, PIP_CONFIG_FILE=str(machine / "named.conf")).index_url == "https://named/simple"


def test_variables_win_over_files(machine: Path) -> None:
    found = read(
        machine, PIP_INDEX_URL="https://env/simple", PIP_EXTRA_INDEX_URL="https://a https://b", PIP_CERT="/c.pem"
    )
    assert (found.index_url, found.extra_index_urls, found.cert) == (
        "https://env/simple",
        ("https://a", "https://b"),
        "/c.pem",
    )


@pytest.mark.parametrize("name", ["/dev/null", "missing", "broken.conf"])
def test_files_that_say_nothing(machine: Path, name: str) -> None:
    found = read(machine, PIP_CONFIG_FILE=str(machine / name) if name[0] != "/" else name)
    assert found.index_url == (None if name == "/dev/null" else "https://user/simple")


def test_an_index_set_on_the_server_replaces_all_of_pips(machine: Path) -> None:
    found = configured("https://own/simple", ["https://more/simple", ""], read(machine))
    assert (found.index_url, found.extra_index_urls, found.find_links) == (
        "https://own/simple",
        ("https://more/simple",),
        (),
    )


def test_without_one_pips_places_stand(machine: Path) -> None:
    assert configured("", [], read(machine)) == read(machine)
    assert configured("", ["https://more"], read(machine)).index_url == "https://user/simple"


@pytest.mark.parametrize(
    ("options", "index", "extra", "why"),
    [
        (Options(), "https://server", ("https://more",), "nothing said"),
        (Options(index_url="https://own"), "https://own", ("https://more",), "an author's index wins, as in pip"),
        (Options(extra_index_urls=("https://x",)), "https://server", ("https://more", "https://x"), "added"),
        (Options(no_index=True), None, (), "none at all"),
    ],
)
def test_options_of_the_requirements_file(
    options: Options, index: str | None, extra: tuple[str, ...], why: str
) -> None:
    found = IndexSettings(index_url="https://server", extra_index_urls=("https://more",)).with_options(options)
    assert (found.index_url, found.extra_index_urls) == (index, extra), why


def test_in_uvs_words() -> None:
    found = IndexSettings(
        index_url="https://a", extra_index_urls=("https://b", "https://c"),
        find_links=("/w", "https://l"), cert="/c.pem",
        trusted_hosts=("h",), timeout_seconds=9, network=(("https_proxy", "http://p"),),
    ).uv_environment()  # fmt: skip
    assert found == {
        "UV_DEFAULT_INDEX": "https://a",
        "UV_INDEX": "https://b https://c",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": "/w,https://l",
        "SSL_CERT_FILE": "/c.pem",
        "UV_INSECURE_HOST": "h",
        "UV_HTTP_TIMEOUT": "9",
        "https_proxy": "http://p",
    }


def test_in_pips_words_no_configuration_file_is_read() -> None:
    found = IndexSettings(index_url="https://a", no_index=True).pip_environment()
    assert found == {"PIP_INDEX_URL": "https://a", "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": "/dev/null"}


def test_local_places_are_shown_to_the_installer() -> None:
    found = IndexSettings(index_url="file:///opt/my%20index", find_links=("/opt/wheels", "https://x"), cert="/c.pem")
    assert found.folders == (Path("/opt/my index"), Path("/opt/wheels"), Path("/c.pem"))


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("GET https://me:secret@x.org/simple", "GET https://****@x.org/simple"),
        ("https://token@x.org", "https://****@x.org"),
        ("https://me:p%40ss:word@x.org a https://b:c@y.org", "https://****@x.org a https://****@y.org"),
        ("git+https://me:secret@x.org/a.git@v1", "git+https://****@x.org/a.git@v1"),
        ("git+ssh://git@x.org/a.git", "git+ssh://git@x.org/a.git"),
        ("a @ https://x.org/b@c.whl", "a @ https://x.org/b@c.whl"),
        ("mail me@x.org", "mail me@x.org"),
    ],
)
def test_credentials_are_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


@given(st.from_regex(r"[A-Za-z0-9%._~!$&*+,;=:-]{1,30}", fullmatch=True))
def test_no_password_survives_masking(password: str) -> None:
    said = f"error: could not fetch https://someone:zz{password}@example.org/simple/"
    assert f"zz{password}" not in mask(said)


def test_a_local_mirror_is_shown_with_the_files_beside_its_pages() -> None:
    mirror = IndexSettings(extra_index_urls=("file:///srv/mirror/simple",))
    assert mirror.folders == (Path("/srv/mirror"),)
