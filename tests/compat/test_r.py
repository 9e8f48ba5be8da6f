"""R content end to end: real R, reticulate bound to each item's own Python, published by the unmodified clients."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import websockets
from support import interpreters
from support.publishing import Published, Publisher
from support.r_world import R, lacking
from support.server import Server, running_server

PACKAGES = ("rmarkdown", "reticulate", "shiny", "plumber", "rsconnect")
MINORS = ("3.9", "3.11")
WHY = lacking(*PACKAGES)
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
    packages = publisher.server.ask(f"/__api__/v1/content/{report.guid}/packages")
    (pandas,) = [each["version"] for each in packages if each["name"] == "pandas"]
    assert f"with pandas {pandas}" in page


def test_each_python_has_packages_of_its_own(publisher: Publisher) -> None:
    pages = [publisher.server.get(published(publisher, "rmarkdown", minor).path).text for minor in MINORS]
    old, new = [re.findall(r"with pandas ([0-9.]+[0-9])", page)[0] for page in pages]
    assert old != new, "the newest pandas for 3.9 is not the newest"


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
    assert "Missing: zoo.that.nobody.has, which the bundle has in version 1.0" in done.output
    assert "ask an administrator to install them in its library (/" in done.output


@pytest.mark.parametrize("named", ["", "figures.py", "figures.R"])
def test_quarto_is_refused_where_there_is_none(publisher: Publisher, named: str) -> None:
    """Scripts are rendered by Quarto, too: they are refused like documents, before anything is installed."""
    work = publisher.copy("rmarkdown")
    if named:
        (work / named).write_text("# %% [markdown]\n# ---\n# title: Figures\n# ---\n")
    metadata = {"appmode": "quarto-static", **({"entrypoint": named} if named else {})}
    ask_for(work, "3.11", metadata=metadata, files={name: {} for name in ("requirements.txt", named) if name})
    done = publisher.deploy(work, "manifest", "manifest.json", check=False)
    assert done.code != 0
    assert "Quarto content needs Quarto, which this server does not have" in done.output
    assert "Building environment" not in done.output


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


@dataclass(frozen=True)
class Client:
    """The R client as its users have it, in a home of its own."""

    server: Server
    home: Path

    def run(self, deploy: str) -> tuple[list[dict[str, Any]], str]:
        """Publish with this R expression; return the items it made and what the client printed."""
        before = {each["guid"] for each in self.server.ask("/__api__/v1/content")}
        script = f"""
            options(rsconnect.check.certificate = FALSE, rsconnect.http = "internal")
            rsconnect::addServer("{self.server.url}/__api__", name = "rostra", quiet = TRUE)
            rsconnect::connectApiUser(account = "admin", server = "rostra", apiKey = "{self.server.key}", quiet = TRUE)
            {deploy}
        """
        assert R is not None
        words, environ = (
            ("--no-echo", "--no-save", "--no-restore", "-e", script),
            {**os.environ, "HOME": str(self.home)},
        )
        done = subprocess.run([R, *words], env=environ, capture_output=True, text=True, timeout=400, check=False)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{self.server.log_text()[-3000:]}"
        made = [each for each in self.server.ask("/__api__/v1/content") if each["guid"] not in before]
        return made, done.stdout + done.stderr


@pytest.fixture
def client(server: Server, tmp_path: Path) -> Client:
    return Client(server, tmp_path)


USUAL = 'server = "rostra", account = "admin", launch.browser = FALSE, logLevel = "verbose"'


def test_the_r_client_publishes_an_api(client: Client) -> None:
    (client.home / "api").mkdir()
    (client.home / "api/plumber.R").write_text("#* @get /\nfunction() list(from = 'the R client')\n")
    (item,), _ = client.run(f'rsconnect::deployAPI("{client.home}/api", appName = "fromr", {USUAL})')
    assert (item["app_mode"], item["name"]) == ("api", "fromr")
    assert "the R client" in client.server.get(f"/content/{item['guid']}/").text


def test_the_r_client_publishes_a_document_with_its_python(client: Client) -> None:
    """The client lists the packages of the Python it is told, as an author's machine has them."""
    python = client.home / "venv/bin/python"
    subprocess.run([sys.executable, "-m", "venv", client.home / "venv"], check=True, timeout=200)
    (client.home / "doc").mkdir()
    (client.home / "doc/report.Rmd").write_text(
        "---\ntitle: From R\nparams:\n  n: 3\noutput: html_document\n---\n\n"
        "```{r}\nlibrary(reticulate)\n```\n\n```{python}\nimport sys\nprint(sys.version, r.params['n'] * 7)\n```\n"
    )
    (item,), said = client.run(
        f'rsconnect::deployDoc("{client.home}/doc/report.Rmd", appName = "docfromr", python = "{python}", {USUAL})'
    )
    assert item["app_mode"] == "rmd-static", said
    assert item["parameterized"] is True
    assert item["py_version"], said
    page = client.server.get(f"/content/{item['guid']}/").text
    assert re.search(rf"{re.escape(item['py_version'])} .*21", page), page[-3000:]


def test_the_r_client_publishes_an_application_and_publishes_it_again(client: Client) -> None:
    (client.home / "app").mkdir()
    source = "library(shiny)\nshinyApp(fluidPage(h1('WORD')), function(input, output) {})\n"
    (client.home / "app/app.R").write_text(source.replace("WORD", "Made in R"))
    (item,), _ = client.run(f'rsconnect::deployApp("{client.home}/app", appName = "appfromr", {USUAL})')
    assert item["app_mode"] == "shiny"
    assert "Made in R" in client.server.get(f"/content/{item['guid']}/").text
    (client.home / "app/app.R").write_text(source.replace("WORD", "Made again"))
    again, _ = client.run(
        f'rsconnect::deployApp("{client.home}/app", appName = "appfromr", {USUAL}, forceUpdate = TRUE)'
    )
    assert again == [], "it is the same item"
    assert "Made again" in client.server.get(f"/content/{item['guid']}/").text
