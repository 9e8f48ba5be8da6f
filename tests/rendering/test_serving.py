import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rostra.rendering.serving import Found, NoSuchPage, SlashMissing, Wanted, content_type, locate, matches_etag, wanted


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.txt").write_text("secret")
    root = outside / "site"
    for name in (
        "index.html",
        "report.html",
        "a b.csv",
        "naïve.txt",
        "plots/index.html",
        "plots/x.png",
        ".env",
        "raw/x.bin",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / ".well-known").mkdir()
    (root / ".well-known/security.txt").write_text("x")
    (root / "manifest.json").write_text("{}")
    (root / "out.txt").symlink_to(outside / "secret.txt")
    (root / "up").symlink_to(outside)
    (root / "inner.txt").symlink_to(root / "a b.csv")
    return root


@pytest.mark.parametrize(
    ("path", "file", "why"),
    [
        ("", "report.html", "the first page is the bundle's primary file"),
        ("index.html", "index.html", "a file by its name"),
        ("plots/", "plots/index.html", "a folder shows its index"),
        ("plots/x.png", "plots/x.png", "a file below"),
        ("a b.csv", "a b.csv", "spaces are ordinary"),
        ("naïve.txt", "naïve.txt", "so are letters"),
        ("inner.txt", "a b.csv", "a link inside may be followed"),
        (".well-known/security.txt", ".well-known/security.txt", "the one dotted folder meant for everybody"),
    ],
)
def test_a_path_names_a_file(site: Path, path: str, file: str, why: str) -> None:
    found = locate(site, path, primary="report.html", hidden=frozenset({"manifest.json"}))
    assert isinstance(found, Found), why
    assert found.path == (site / file).resolve(), why


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("missing", "nothing there"),
        ("../secret.txt", "upwards"),
        ("plots/../../secret.txt", "upwards from below"),
        ("/etc/passwd", "an absolute path"),
        ("out.txt", "a link that leads out"),
        ("up/secret.txt", "a folder link that leads out"),
        (".env", "begins with a dot"),
        ("plots/.", "a dot as a name"),
        ("plots//x.png", "an empty name"),
        ("//", "only slashes"),
        ("index.html/", "a file is no folder"),
        ("index.html/x", "nor below a file"),
        ("raw/", "a folder without index is not listed"),
        ("a\0b", "no name holds a zero byte"),
        ("x" * 300, "longer than any name"),
        ("manifest.json", "hidden by the caller"),
    ],
)
def test_nothing_else_is_given(site: Path, path: str, why: str) -> None:
    with pytest.raises(NoSuchPage):
        locate(site, path, hidden=frozenset({"manifest.json"}))


def test_a_folder_without_its_slash_says_so(site: Path) -> None:
    assert isinstance(locate(site, "plots"), SlashMissing)


@given(
    st.lists(st.sampled_from(["..", ".", "", "plots", "up", "index.html", "secret.txt", "out.txt", "/"]), max_size=6)
)
def test_no_path_leads_out(site: Path, parts: list[str]) -> None:
    try:
        found = locate(site, "/".join(parts))
    except NoSuchPage:
        return
    assert isinstance(found, SlashMissing) or found.path.is_relative_to(site.resolve())


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", Wanted(None, "")),
        ("plots/a.png", Wanted(None, "plots/a.png")),
        ("_rev12/", Wanted(12, "")),
        ("_rev12/plots/a.png", Wanted(12, "plots/a.png")),
        ("_rev12", Wanted(12, "", complete=False)),
        ("_rev12.html", Wanted(None, "_rev12.html")),
        ("_revx/", Wanted(None, "_revx/")),
        ("_rev" + "9" * 40 + "/", Wanted(None, "_rev" + "9" * 40 + "/")),
    ],
)
def test_a_revision_is_told_from_a_file(path: str, expected: Wanted) -> None:
    assert wanted(path) == expected


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.html", "text/html; charset=utf-8"),
        ("A.JS", "text/javascript; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.svg", "image/svg+xml"),
        ("a.tar.gz", "application/gzip"),
        ("a.unheard-of", "application/octet-stream"),
        ("Makefile", "application/octet-stream"),
    ],
)
def test_types_do_not_depend_on_the_host(name: str, kind: str) -> None:
    assert content_type(name) == kind


@pytest.mark.parametrize(
    ("header", "same"),
    [('"a"', True), ('"b", W/"a"', True), ("*", True), ('"b"', False), ("a", False), ("", False)],
)
def test_a_known_tag_needs_no_body(header: str, same: bool) -> None:
    assert matches_etag(header, '"a"') is same


def test_equal_files_of_two_bundles_have_different_tags(tmp_path: Path) -> None:
    tags = set()
    for bundle in ("1", "2"):
        file = tmp_path / bundle / "index.html"
        file.parent.mkdir()
        file.write_text(bundle)
        os.utime(file, (0, 0))
        found = locate(file.parent, "")
        assert isinstance(found, Found)
        tags.add(found.etag)
    assert len(tags) == 2
