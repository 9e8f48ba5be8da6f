"""Rendering by a program of its own: any program will do, here the shell."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

from rostra.environments.shell import PlainShell
from rostra.rendering.document import DocumentJob, Folders, render_document
from rostra.rendering.job import MAIL_FACTS, RenderFailed, RenderTimedOut

pytestmark = pytest.mark.anyio
PAGE = 'echo "<p>hello</p>" > $OUT/index.html; echo \'{"primary": "index.html"}\' > $TOLD/result.json'


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., DocumentJob]:
    """Make a job that runs a shell script in the copy of a bundle with one document."""
    code = tmp_path / "code"
    code.mkdir()
    (code / "report.Rmd").write_text("# Report\n")

    def make(script: str, **more: object) -> DocumentJob:
        def argv(folders: Folders) -> tuple[str, ...]:
            return ("/bin/sh", "-c", f"OUT={folders.out}; TOLD={folders.told}; {script}")

        def failure(lines: object) -> RenderFailed:
            return RenderFailed(f"failed: {lines}")

        given: dict[str, object] = {"document": "report.Rmd", "failure": failure, **more}
        return DocumentJob(argv=argv, code_dir=code, output=tmp_path / "renderings/one", **given)  # type: ignore[arg-type]

    return make


def left(job: DocumentJob) -> list[str]:
    parent = job.output.parent
    return sorted(path.name for path in parent.iterdir()) if parent.exists() else []


async def test_what_is_made_becomes_the_rendering(job: Callable[..., DocumentJob]) -> None:
    said: list[str] = []
    made = job(f"echo working; mkdir $OUT/files; echo x > $OUT/files/a.css; {PAGE}")
    done = await render_document(made, PlainShell(), said.append)
    assert (done.primary, (made.output / "index.html").read_text()) == ("index.html", "<p>hello</p>\n")
    assert (made.output / "files/a.css").read_text() == "x\n"
    assert said == ["working"]
    assert left(made) == ["one"], "nothing else stays"


async def test_the_bundle_is_not_written_to(job: Callable[..., DocumentJob]) -> None:
    made = job(f"echo changed > report.Rmd; {PAGE}")
    await render_document(made, PlainShell(), lambda _: None)
    assert (made.code_dir / "report.Rmd").read_text() == "# Report\n"


async def test_a_failure_leaves_nothing(job: Callable[..., DocumentJob]) -> None:
    made = job(f"{PAGE}; echo oh no >&2; exit 3")
    with pytest.raises(RenderFailed, match="oh no"):
        await render_document(made, PlainShell(), lambda _: None)
    assert left(made) == []


async def test_too_slow_is_ended(job: Callable[..., DocumentJob]) -> None:
    made = job("sleep 60", timeout=dt.timedelta(seconds=0.3))
    with pytest.raises(RenderTimedOut, match="still running after"):
        await render_document(made, PlainShell(), lambda _: None)
    assert left(made) == []


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("true", "nothing is made"),
        ('echo \'{"primary": "../../code/report.Rmd"}\' > $TOLD/result.json', "a page elsewhere is named"),
        ("echo '[1]' > $TOLD/result.json", "the result has another shape"),
        ("mkfifo $TOLD/result.json", "the result is a pipe that nobody writes to"),
        ('ln -s /etc/passwd $OUT/index.html; echo \'{"primary": "index.html"}\' > $TOLD/result.json', "a link"),
        ("ln -s /etc/passwd $TOLD/result.json", "the result is a link"),
    ],
)
async def test_no_page_is_a_failure(job: Callable[..., DocumentJob], script: str, why: str) -> None:
    with pytest.raises(RenderFailed, match="made no page"):
        pytest.fail(f"{why}: {await render_document(job(script), PlainShell(), lambda _: None)}")


async def test_links_and_hidden_files_are_left_out(job: Callable[..., DocumentJob]) -> None:
    made = job(f"ln -s /etc/passwd $OUT/x; ln -s /etc $OUT/etc; echo x > $OUT/.secret; {PAGE}")
    await render_document(made, PlainShell(), lambda _: None)
    assert [path.name for path in made.output.iterdir()] == ["index.html"]


@pytest.mark.parametrize("document", ["", "gone.Rmd", "../outside.Rmd"])
async def test_a_document_that_is_not_there(job: Callable[..., DocumentJob], tmp_path: Path, document: str) -> None:
    (tmp_path / "outside.Rmd").touch()
    with pytest.raises(RenderFailed, match="the bundle"):
        await render_document(job(PAGE, document=document), PlainShell(), lambda _: None)


async def test_declared_files_are_kept_and_mail_is_noted(job: Callable[..., DocumentJob]) -> None:
    metadata = '{"rsc_output_files": ["out.csv"], "rsc_email_subject": "Harvest"}'
    script = (
        f'{PAGE}; echo 1 > out.csv; echo \'{{"primary": "index.html", "metadata": {metadata}}}\' > $TOLD/result.json'
    )
    made = job(script)
    await render_document(made, PlainShell(), lambda _: None)
    assert (made.output / "out.csv").read_text() == "1\n"
    assert "Harvest" in (made.output / MAIL_FACTS).read_text()


DEEP = "cd $OUT; for n in $(seq 1100); do mkdir -p a && cd a; done"


async def test_folders_in_one_another_have_an_end(job: Callable[..., DocumentJob]) -> None:
    with pytest.raises(RenderFailed, match="64 deep"):
        await render_document(job(f"{PAGE}; {DEEP}"), PlainShell(), print)
    assert left(job("")) == []


async def test_what_is_hidden_is_not_looked_into(job: Callable[..., DocumentJob]) -> None:
    made = job(f"{PAGE}; mkdir $OUT/.hidden; echo x > $OUT/.hidden/x; {DEEP.replace('$OUT', '$OUT/.hidden')}")
    done = await render_document(made, PlainShell(), print)
    assert [path.name for path in done.folder.iterdir()] == ["index.html"]
