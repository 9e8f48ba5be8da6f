"""What a document declares of its mail, and how the letter follows it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from rostra.rendering.declared import declare
from rostra.rendering.delivery import Facts, facts_of
from rostra.rendering.job import MAIL_BODY

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n dot").decode()


def declared(folder: Path, **metadata: Any) -> Facts:
    for name in ("work", "out"):
        (folder / name).mkdir()
    (folder / "work/out.csv").write_text("a\n")
    declare({f"rsc_{name}": value for name, value in metadata.items()}, folder / "work", folder / "out")
    return facts_of(folder / "out")


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, Facts()),
        ({"email_subject": "Harvest"}, Facts(subject="Harvest")),
        ({"email_suppress_scheduled": True}, Facts(suppressed=True)),
        ({"email_suppress_scheduled": "yes"}, Facts()),
        ({"email_suppress_report_attachment": True}, Facts(without_report=True)),
        ({"email_body_text": ["Dear all,", "good."]}, Facts(text="Dear all,\ngood.")),
        ({"email_body_text": "x" * 60_000}, Facts()),
        ({"email_body_html": "<p>x</p>"}, Facts(html=True)),
        ({"email_attachments": ["out.csv", "gone.csv"]}, Facts(attachments=("out.csv",))),
    ],
)
def test_what_is_declared_is_found_again(tmp_path: Path, metadata: dict[str, Any], expected: Facts) -> None:
    assert declared(tmp_path, **metadata) == expected


def test_pictures_named_by_cid_are_put_into_the_html(tmp_path: Path) -> None:
    html = '<img src="cid:plot.png"> <IMG SRC=\'cid:two\'> <img src="cid:gone"> <img src="cid:odd"> cid:plot.png'
    images = {"plot.png": PNG, "two": [PNG], "odd": base64.b64encode(b"<svg/>").decode()}
    assert declared(tmp_path, email_body_html=html, email_images=images).html
    made = (tmp_path / "out" / MAIL_BODY).read_text()
    assert made.count(f"data:image/png;base64,{PNG}") == 2
    assert "cid:gone" in made
    assert "cid:odd" in made
    assert made.endswith("cid:plot.png")


def test_a_picture_named_often_makes_no_mail_of_gigabytes(tmp_path: Path) -> None:
    picture = base64.b64encode(b"\x89PNG" + bytes(300_000)).decode()
    declared(tmp_path, email_body_html='<img src="cid:a">' * 1_000, email_images={"a": picture})
    made = (tmp_path / "out" / MAIL_BODY).read_text()
    assert len(made) <= 6_000_000
    assert made.count("data:image/png") > 5
    assert "cid:a" in made


@pytest.mark.parametrize(
    "name", ["x" * 300, "circle", "index.html/deep", "/{work}/out.csv", "odd\udc80", "../work/out.csv"]
)
def test_a_name_that_no_file_beside_the_page_can_have_is_left_out(tmp_path: Path, name: str) -> None:
    for folder in ("work/index.html", "out"):
        (tmp_path / folder).mkdir(parents=True)
    work, out = tmp_path / "work", tmp_path / "out"
    for made in (work / "index.html/deep", work / "out.csv", out / "index.html"):
        made.write_text("x")
    (work / "circle").symlink_to("circle")
    assert declare({"rsc_output_files": [name.format(work=work), "out.csv"]}, work, out) == ["out.csv"]


def test_letters_that_nothing_can_hold_are_taken_out(tmp_path: Path) -> None:
    facts = declared(
        tmp_path, email_subject="a\0b\ud800", email_body_text="c\0d\ud800", email_body_html="<p>e\0f\ud800</p>"
    )
    assert (facts.subject, facts.text) == ("ab?", "cd?")
    assert (tmp_path / "out" / MAIL_BODY).read_text() == "<p>ef?</p>"


def test_declared_files_are_not_more_than_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rostra.rendering.declared._MOST_BYTES", 3)
    work, out = tmp_path / "work", tmp_path / "out"
    for folder in (work, out):
        folder.mkdir()
    for name in "abc":
        (work / name).write_text("12")
    assert declare({"rsc_email_attachments": ["a", "b"], "rsc_output_files": ["c"]}, work, out) == ["a"]
