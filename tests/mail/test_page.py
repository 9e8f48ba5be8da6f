"""A rendered page as a mail program can show it."""

import base64
from pathlib import Path

import pytest

from rostra.mail import page
from rostra.mail.page import TooLargeForMail, for_mail

URL = "https://r.example.org/content/x/_rev7/"
DOT = base64.b64encode(b"\x89PNG dot").decode()


def made(folder: Path, body: str, style: str = "") -> page.Fragment:
    file = folder / "index.html"
    file.write_text(f"<html><head><style>{style}</style><title>t</title></head><body>{body}</body></html>")
    return for_mail(file, URL)


def test_styles_are_written_into_the_elements(tmp_path: Path) -> None:
    found = made(tmp_path, "<p class='a'>x</p>", ":root { --c: red } .a { color: var(--c) }")
    assert 'style="color: red;"' in found.html
    assert "<style" not in found.html


def test_nothing_that_runs_is_left(tmp_path: Path) -> None:
    found = made(
        tmp_path,
        "<script>x</script><p onclick='x()'>p</p><a href='javascript:x()'>a</a><iframe src='x'></iframe><!--c-->"
        "<form action='/x'><input></form><svg onload='x()'></svg>",
    ).html
    for bad in ("script", "onclick", "iframe", "<!--", "form", "onload"):
        assert bad not in found
    assert f'href="{URL}"' in found


def test_pictures_become_parts_each_once(tmp_path: Path) -> None:
    (tmp_path / "plot.png").write_bytes(b"\x89PNG plot")
    picture = f"<img src='data:image/png;base64,{DOT}'>"
    found = made(tmp_path, f"{picture}{picture}<img src='plot.png'>")
    assert [part.content for part in found.pictures] == [b"\x89PNG dot", b"\x89PNG plot"]
    assert found.html.count(f"cid:{found.pictures[0].cid}") == 2
    assert "data:" not in found.html


@pytest.mark.parametrize("src", ["../secret.png", "/etc/passwd", "https://x.org/a.png", "missing.png", "link.png"])
def test_only_files_beside_the_page_are_taken(tmp_path: Path, src: str) -> None:
    (tmp_path / "secret.png").write_bytes(b"secret")
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "link.png").symlink_to(tmp_path / "secret.png")
    found = made(inner, f"<img src='{src}'>")
    assert found.pictures == ()
    assert "cid:" not in found.html


def test_links_lead_to_the_server(tmp_path: Path) -> None:
    found = made(tmp_path, "<a href='data.csv'>d</a><a href='#top'>t</a><a href='https://x.org/'>x</a>").html
    assert f'href="{URL}data.csv"' in found
    assert f'href="{URL}#top"' in found
    assert 'href="https://x.org/"' in found


def test_a_very_large_page_is_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "LARGEST_PAGE", 100)
    with pytest.raises(TooLargeForMail):
        made(tmp_path, "x" * 200)
