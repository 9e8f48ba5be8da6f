from pathlib import Path

import pytest

from rostra.rendering.beside import copy_referenced, referenced


@pytest.mark.parametrize(
    ("html", "found", "why"),
    [
        ('<img alt="x" src="plot.png">', ["plot.png"], "an image"),
        ("<a href='data/a%20b.csv?x=1#y'>", ["data/a b.csv"], "a link, decoded, without query and fragment"),
        ('<img src="https://example.org/x.png"><img src="//example.org/x">', [], "other sites"),
        ('<img src="data:image/png;base64,AAAA">', [], "already inside"),
        ('<a href="../../etc/passwd"><a href="/etc/passwd"><a href="a/../../b">', [], "upwards"),
        ('<a href="%2e%2e/x"><a href=".env"><a href="a/.git/config">', [], "upwards in disguise, hidden files"),
        ('<a href="#top"><a href="mailto:x@example.org">', [], "not files"),
        ('<img src="a.png"><img src="a.png">', ["a.png"], "once"),
        ('<a title="href" href="x&amp;y.txt">', ["x&y.txt"], "entities are decoded"),
    ],
)
def test_what_a_page_refers_to(html: str, found: list[str], why: str) -> None:
    assert referenced(html) == found, why


def test_only_regular_files_inside_are_copied(tmp_path: Path) -> None:
    source, target = tmp_path / "work", tmp_path / "out"
    (source / "data").mkdir(parents=True)
    target.mkdir()
    (tmp_path / "secret").write_text("secret")
    (source / "data/a.csv").write_text("a")
    (source / "link").symlink_to(tmp_path / "secret")
    (source / "index.html").write_text("not this one")
    (target / "index.html").write_text("the page")
    html = '<a href="data/a.csv"><a href="link"><a href="data"><a href="gone"><a href="index.html">'
    assert copy_referenced(html, source, target) == ("data/a.csv",)
    assert sorted(str(p.relative_to(target)) for p in target.rglob("*")) == ["data", "data/a.csv", "index.html"]
    assert (target / "index.html").read_text() == "the page"
