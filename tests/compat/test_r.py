"""R content end to end: real R, reticulate bound to each item's own Python, published by the unmodified clients."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import websockets
from support import interpreters
from support.publishing import ROOT, Published, Publisher
from support.server import Server, running_server

PACKAGES = ("rmarkdown", "reticulate", "shiny", "plumber", "rsconnect")
MINORS = ("3.9", "3.11")
R = shutil.which("R")


def lacking() -> str:
    """Return why these tests cannot run here; empty when they can."""
    if R is None:
        return "no R on this machine"
    if shutil.which("pandoc") is None:
        return "no pandoc on this machine"
    question = "cat(Filter(function(p) !nzchar(system.file(package = p)), commandArgs(TRUE)))"
    asked = subprocess.run([R, "--no-echo", "--vanilla", "-e", question, "--args", *PACKAGES],
                           capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
    return f"R lacks {asked.stdout}" if asked.stdout.strip() else ""


WHY = lacking()
pytestmark = [
    pytest.mark.r,
    pytest.mark.compat,
    pytest.mark.xdist_group("r"),
    pytest.mark.skipif(bool(WHY), reason=WHY or "R is there"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    wanted = (*MINORS, "3.13")
    pythons = {minor: path for minor in wanted if (path := interpreters.minor(minor))}
    if missing := [minor for minor in MINORS if minor not in pythons]:
        pytest.skip(f"no Python {' and '.join(missing)} on this machine")
    with running_server(tmp_path_factory.mktemp("r"), list(pythons.values()), "[R]\nEnabled = true\n") as running:
        yield running


@pytest.fixture
def publisher(server: Server, tmp_path: Path) -> Publisher:
    return Publisher(server, tmp_path)


def published(publisher: Publisher, name: str, minor: str) -> Published:
    """Publish a sample for one Python, once for each server."""
    if (name, minor) not in publisher.server.samples:
        work = publisher.copy(name)
        ask_for(work, minor)
        publisher.server.samples[name, minor] = publisher.deploy(work, "manifest", "manifest.json")
    found = publisher.server.samples[name, minor]
    assert isinstance(found, Published)
    return found


def ask_for(work: Path, minor: str, **more: Any) -> None:
    """Change the manifest as another author's client would have written it."""
    told = json.loads((work / "manifest.json").read_text())
    told["python"]["version"] = f"{minor}.0"
    (work / "manifest.json").write_text(json.dumps(told | more))


@pytest.mark.parametrize("minor", [*MINORS, "3.13"])
def test_a_report_computes_and_draws_with_its_own_python(publisher: Publisher, minor: str) -> None:
    if not interpreters.minor(minor):
        pytest.skip(f"no Python {minor} on this machine")
    report = published(publisher, "rmarkdown", minor)
    page = publisher.server.get(report.path).text
    item = publisher.item(report.guid)
    assert f"Python {item['py_version']} with pandas" in page
    assert item["py_version"].startswith(f"{minor}.")
    assert "data:image/png;base64," in page, "matplotlib's picture is in the page"
    assert "South" in page, "R has read what Python worked out"
    assert item["app_mode"] == "rmd-static"
    assert f"Using R {item['r_version']} from " in report.output


@pytest.mark.parametrize("minor", MINORS)
def test_an_api_answers_with_python_behind_it(publisher: Publisher, minor: str) -> None:
    api = published(publisher, "plumber", minor)
    server = publisher.server
    said = json.loads(server.get(api.path).text)
    assert (said["service"], said["python"]) == ("Plumber", publisher.item(api.guid)["py_version"])
    assert json.loads(server.get(f"{api.path}wrap?text=hello+there&width=6").text) == {"lines": ["hello", "there"]}
    added = server.get(f"{api.path}sum", method="POST", body=b'{"numbers": [1, 2, 3]}', Content_Type="application/json")
    assert json.loads(added.text) == {"sum": 6}
    documentation = json.loads(server.get(f"{api.path}openapi.json").text)
    assert documentation["servers"][0]["url"] == server.url + api.path.rstrip("/")


async def values(server: Server, path: str, *outputs: str, **inputs: object) -> dict[str, Any]:
    """Open the application's WebSocket as its page does and return what it sends for ``outputs``."""
    address = server.url.replace("http", "ws", 1) + path + "websocket/"
    shown = {f".clientdata_output_{name}_hidden": False for name in outputs}
    whence = {f".clientdata_url_{name}": "" for name in ("pathname", "search", "hash", "hostname", "port", "protocol")}
    found: dict[str, Any] = {}
    key = {"Authorization": f"Key {server.key}"}
    async with asyncio.timeout(60), websockets.connect(address, additional_headers=key, max_size=None) as socket:
        await socket.send(json.dumps({"method": "init", "data": {**inputs, **shown, **whence}}))
        while not set(outputs) <= found.keys():
            found |= json.loads(await socket.recv()).get("values") or {}
    return found


@pytest.mark.parametrize("minor", MINORS)
def test_an_application_works_with_python_and_knows_its_visitor(publisher: Publisher, minor: str) -> None:
    app = published(publisher, "shiny-r", minor)
    page = publisher.server.get(app.path).text
    assert f"with Python {publisher.item(app.guid)['py_version']}" in page
    (script,) = re.findall(r'src="([^"]*shiny[.]min[.]js)"', page)
    assert publisher.server.get(app.path + script).status == 200, "what the page names is found below its address"
    sent = asyncio.run(values(publisher.server, app.path, "whom", "mean", **{"rolls:shiny.number": 60}))
    assert float(sent["mean"]) == pytest.approx(3.5, abs=1.0)
    assert sent["whom"] == f"Signed in: {publisher.server.ask('/__api__/v1/user')['username']}"


def test_an_interactive_document_is_served(publisher: Publisher) -> None:
    work = publisher.copy("shiny-r")
    (work / "app.R").unlink()
    (work / "live.Rmd").write_text(
        "---\ntitle: Live\nruntime: shiny\noutput: html_document\n---\n\n"
        "```{r}\nshiny::sliderInput('n', 'How many', 1, 9, 4)\nshiny::renderText(input$n)\n```\n"
    )
    metadata = {"appmode": "rmd-shiny", "primary_rmd": "live.Rmd"}
    ask_for(work, "3.11", metadata=metadata, files={"live.Rmd": {}, "requirements.txt": {}})
    done = publisher.deploy(work, "manifest", "manifest.json")
    assert "__reactivedoc__" in publisher.server.get(done.path).text
    sent = asyncio.run(values(publisher.server, done.path, "__reactivedoc__"))
    assert "How many" in json.dumps(sent["__reactivedoc__"])


def test_a_failing_chunk_fails_the_deploy_with_its_lines(publisher: Publisher) -> None:
    work = publisher.copy("rmarkdown")
    (work / "report.Rmd").write_text("---\ntitle: Broken\n---\n\nText.\n\n```{python}\nx = 1\nx / 0\n```\n")
    (work / "requirements.txt").write_text("")
    ask_for(work, "3.11", files={"report.Rmd": {}, "requirements.txt": {}})
    done = publisher.deploy(work, "manifest", "manifest.json", check=False)
    assert done.code != 0
    assert "report.Rmd, lines 8-10" in done.output, done.output
    assert "ZeroDivisionError" in done.output


def test_missing_packages_are_named(publisher: Publisher) -> None:
    work = publisher.copy("plumber")
    (work / "plumber.R").write_text("# An API\nlibrary(zoo.that.nobody.has)\n" + (work / "plumber.R").read_text())
    lacking = {"zoo.that.nobody.has": {"description": {"Version": "1.0"}}}
    ask_for(work, "3.11", packages=lacking, files={"plumber.R": {}, "requirements.txt": {}})
    done = publisher.deploy(work, "manifest", "manifest.json", check=False)
    assert done.code != 0
    assert "lacks zoo.that.nobody.has (plumber.R, line 2)" in done.output


def test_quarto_is_refused_where_there_is_none(publisher: Publisher) -> None:
    work = publisher.copy("rmarkdown")
    ask_for(work, "3.11", metadata={"appmode": "quarto-static"})
    done = publisher.deploy(work, "manifest", "manifest.json", check=False)
    assert done.code != 0
    assert "Quarto content needs Quarto, which this server does not have" in done.output


def test_clients_see_which_r_there_is(server: Server) -> None:
    (only,) = server.ask("/__api__/v1/server_settings/r")["installations"]
    assert only["version"].count(".") == 2
    assert server.ask("/__api__/v1/server_settings/quarto") == {"installations": []}


def test_a_bundle_is_published_through_the_api(publisher: Publisher) -> None:
    server, work = publisher.server, publisher.copy("plumber")
    ask_for(work, "3.9")
    archive = shutil.make_archive(str(publisher.folder / "bundle"), "gztar", work)
    item = server.ask("/__api__/v1/content", "POST", {"name": "straight"})
    path = f"/__api__/v1/content/{item['guid']}"
    sent = server.get(f"{path}/bundles", method="POST", body=Path(archive).read_bytes())
    task = server.ask(f"{path}/deploy", "POST", {"bundle_id": json.loads(sent.text)["id"]})
    assert server.wait_for(task["task_id"])["code"] == 0
    assert json.loads(server.get(f"/content/{item['guid']}/").text)["python"].startswith("3.9.")


def test_the_r_client_publishes_with_an_api_key(server: Server, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "samples/plumber", tmp_path / "api", ignore=shutil.ignore_patterns("*.json", "*.txt"))
    (tmp_path / "api/plumber.R").write_text("#* @get /\nfunction() list(from = 'the R client')\n")
    script = f"""
        options(rsconnect.check.certificate = FALSE, rsconnect.http = "internal")
        rsconnect::addServer("{server.url}/__api__", name = "rostra", quiet = TRUE)
        rsconnect::connectApiUser(account = "admin", server = "rostra", apiKey = "{server.key}", quiet = TRUE)
        rsconnect::deployAPI("{tmp_path}/api", server = "rostra", account = "admin", appName = "fromr",
                             launch.browser = FALSE, logLevel = "verbose")
    """
    assert R is not None
    words, environ = ("--no-echo", "--no-save", "--no-restore", "-e", script), {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run([R, *words], env=environ, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{server.log_text()[-3000:]}"
    (item,) = [each for each in server.ask("/__api__/v1/content") if each["name"] == "fromr"]
    assert "the R client" in server.get(f"/content/{item['guid']}/").text
