from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rostra.content import git_location
from rostra.content.git_location import BadBranch, BadDirectory, BadProtocol, BadRepository
from rostra.errors import Invalid


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://git.example.org/team/project", "https://git.example.org/team/project"),
        ("https://git.example.org/team/project.git", "https://git.example.org/team/project.git"),
        (" https://GIT.Example.org/Team/ ", "https://git.example.org/Team"),
        ("http://127.0.0.1:8080/x.git", "http://127.0.0.1:8080/x.git"),
        ("https://[::1]:8443/x", "https://[::1]:8443/x"),
    ],
)
def test_an_address_is_kept(given: str, kept: str) -> None:
    assert git_location.address(given) == kept


@pytest.mark.parametrize(
    ("given", "refused", "number"),
    [
        ("", BadProtocol, 164),
        ("file:///etc", BadProtocol, 164),
        ("ext::sh -c id", BadProtocol, 164),
        ("ssh://git@example.org/x", BadProtocol, 164),
        ("git@example.org:team/project.git", BadProtocol, 164),
        ("git://example.org/x", BadProtocol, 164),
        ("/srv/repositories/x", BadProtocol, 164),
        ("--upload-pack=id", BadProtocol, 164),
        ("https://ada:secret@example.org/x", BadRepository, 146),
        ("https://ada@example.org/x", BadRepository, 146),
        ("https://example.org/x?token=1", BadRepository, 146),
        ("https://example.org/x?", BadRepository, 146),
        ("https://example.org/x#main", BadRepository, 146),
        ("https:///x", BadRepository, 146),
        ("https://-oProxyCommand=id/x", BadRepository, 146),
        ("https://example.org:port/x", BadRepository, 146),
        ("https://example.org/a\nb", BadRepository, 146),
        ("https://example.org/a b", BadRepository, 146),
        ("https://example.org\\@evil.example/x", BadRepository, 146),
        (f"https://example.org/{'x' * 2000}", BadRepository, 146),
    ],
)
def test_an_address_is_refused(given: str, refused: type[Invalid], number: int) -> None:
    with pytest.raises(refused) as raised:
        git_location.address(given)
    assert raised.value.number == number
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("name", ["main", "feature/one-two", "v1.2.3", "ünïcode", "a" * 40, "refs/heads/main"])
def test_a_branch_is_kept(name: str) -> None:
    assert git_location.ref(name) == name.removeprefix("refs/heads/")


@pytest.mark.parametrize(
    "name",
    [
        *("", "-x", "--upload-pack=id", "a..b", "a b", "a:b", "a~1", "a^", "a?", "a*", "a[", "a\\b", "@", "a@{1}"),
        *("/a", "a/", "a//b", ".a", "a/.b", "a.lock", "a.", "a\0", "a\x7f", "a\nb", "x" * 2000, "\ud800"),
    ],
)  # fmt: skip
def test_a_branch_is_refused(name: str) -> None:
    with pytest.raises(BadBranch):
        git_location.ref(name)


@pytest.mark.parametrize(
    ("given", "kept"),
    [("", "."), (".", "."), ("/", "."), ("./a/", "a"), ("a//b", "a/b"), ("a/./b", "a/b"), ("über/x y", "über/x y")],
)
def test_a_directory_is_kept(given: str, kept: str) -> None:
    assert git_location.path(given) == kept


@pytest.mark.parametrize("given", ["..", "a/../b", "../x", ".git", "a/.GIT/hooks", "a\nb", "a\0b", "a\\b", "x" * 2000])
def test_a_directory_is_refused(given: str) -> None:
    with pytest.raises(BadDirectory):
        git_location.path(given)


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_nothing_that_is_kept_can_be_an_option_or_leave_the_repository(url: str, branch: str, directory: str) -> None:
    try:
        place = git_location.location(url, branch, directory)
    except Invalid:
        return
    assert place.url.startswith(("http://", "https://"))
    assert not place.branch.startswith("-")
    assert ".." not in place.directory.split("/")


@given(st.sampled_from(["https", "http"]), st.text(max_size=80))
def test_an_address_is_kept_as_it_was_kept(scheme: str, rest: str) -> None:
    try:
        kept = git_location.address(f"{scheme}://{rest}")
    except Invalid:
        return
    assert git_location.address(kept) == kept
    assert "@" not in kept.split("/")[2]
