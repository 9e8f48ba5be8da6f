"""Scripts that write output files, rendered as documents on a real server.

A small program stands in for Quarto, which no package carries: it runs the script by the Python that it is told to
use, as the real one does, and puts what that prints into a page. All else is real: the deploy, the sandbox, each item's
own environment, its credentials, revisions and mail.
"""

from __future__ import annotations

import email
import email.policy
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import interpreters
from support.direct import Direct, new_item
from support.moments import soon
from support.server import Server, running_server
from support.watching import until, within

pytestmark = [pytest.mark.server, pytest.mark.interpreters, pytest.mark.xdist_group("reports")]

STAND_IN = """\
#!/bin/sh
if [ "$1" = --version ]; then echo 1.4.553; exit 0; fi
[ "$1" = render ] || exit 9
script="$2"; page="${2%.*}.html"; shift 2
echo "running $script" >&2
"$QUARTO_PYTHON" "$script" "$@" > "$page.txt" || exit 1
{ echo '<!doctype html><title>Figures</title><pre>'; cat "$page.txt"; echo '</pre>'; } > "$page"
"""
SCRIPT = """\
# %% [markdown]
# ---
# title: Figures
# rsc_output_files: [out.csv]
# rsc_email_subject: Figures of the week
# ---
# %%
import json, os, sys, urllib.request
import iniconfig
key, api = os.environ["CONNECT_API_KEY"], os.environ["CONNECT_SERVER"] + "__api__/v1/"
asked = urllib.request.Request(api + "user", headers={"Authorization": "Key " + key})
me = json.load(urllib.request.urlopen(asked))
exec(os.environ.get("FIRST", ""))
with open("out.csv", "w") as file:
    file.write(f"minor\\n{sys.version_info[1]}\\n")
session = bool(os.environ.get("CONNECT_CONTENT_SESSION_TOKEN"))
print(f"{me['username']} on {sys.version_info[1]} session {session} key({key}) given({sys.argv[1:]})")
"""
MINORS = ("3.10", "3.11")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    found = [path for minor in MINORS if (path := interpreters.minor(minor))]
    if len(found) < len(MINORS):
        pytest.skip(f"no Python {' and '.join(MINORS)} on this machine")
    folder, quarto = tmp_path_factory.mktemp("s"), tmp_path_factory.mktemp("quarto") / "bin/quarto"
    quarto.parent.mkdir()
    quarto.write_text(STAND_IN)
    for path, mode in ((quarto, 0o755), (quarto.parent, 0o755), (quarto.parent.parent, 0o755)):
        path.chmod(mode)
    extra = (
        f"[Quarto]\nEnabled = true\nExecutable = {quarto}\n"
        "[Server]\nEmailProvider = file\nSenderEmail = reports@example.org\n"
    )
    with running_server(folder, [Path(path) for path in found], extra) as started:
        me = started.ask("/__api__/v1/user")
        started.ask(f"/__api__/v1/users/{me['guid']}", "PUT", {"email": "ada@example.org"})
        yield started


def published(server: Server, minor: str) -> Direct:
    item = new_item(server)
    version = next(found for found in interpreters.installed() if found.startswith(f"{minor}."))
    item.deploy(
        {"figures.py": SCRIPT, "requirements.txt": "iniconfig\n"},
        metadata={"appmode": "quarto-static", "entrypoint": "figures.py"},
        python={"version": version, "package_manager": {"name": "pip", "package_file": "requirements.txt"}},
        quarto={"version": "1.4.0", "engines": ["jupyter"]},
    )
    return item


@pytest.mark.parametrize("minor", MINORS)
def test_a_script_runs_on_its_own_python_with_the_key_of_the_render(server: Server, minor: str) -> None:
    item = published(server, minor)
    number = minor.partition(".")[2]
    owner = server.ask("/__api__/v1/user")["username"]
    said = re.search(rf"{owner} on {number} session True key\(([\w-]+)\)", item.get().text)
    assert said, item.get().text
    assert server.get("/__api__/v1/user", Authorization=f"Key {said[1]}").status == 401, "good for the render only"
    assert item.get("out.csv").text == f"minor\n{number}\n"
    assert server.ask(item.api)["app_mode"] == "quarto-static"


def test_a_script_that_fails_keeps_the_last_revision_and_says_why(server: Server) -> None:
    item = published(server, "3.11")
    before = item.get().text
    server.ask(f"{item.api}/environment", "PATCH", [{"name": "FIRST", "value": "raise ValueError('no harvest')"}])
    done = server.wait_for(server.ask(f"{item.api}/render", "POST", {})["task_id"])
    assert done["code"] == 1
    assert "ValueError: no harvest" in done["error"]
    assert item.get().text == before
    assert len(server.ask(f"{item.api}/renderings")) == 1
    job = server.ask(f"{item.api}/jobs")[0]
    log = server.ask(f"{item.api}/jobs/{job['key']}/log")["entries"]
    assert any("running figures.py" in entry["data"] for entry in log)


def test_a_scheduled_script_is_mailed_as_its_header_says(server: Server) -> None:
    item = published(server, "3.11")
    mails = server.data_dir / "mail"
    body = {"type": "day", "schedule": {"N": 1}, "timezone": "UTC", "email": True, "start_time": soon()}
    server.ask(f"{item.api}/schedule", "PUT", body)
    until(lambda: list(mails.glob("*.eml")), within(90), "no mail is written")
    (file,) = mails.glob("*.eml")
    mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
    assert (mail["Subject"], mail["To"]) == ("Figures of the week", "ada@example.org")
    newest = server.ask(f"{item.api}/renderings")[0]
    plain = mail.get_body(("plain",))
    assert plain is not None
    assert newest["path"] in plain.get_content()
    assert len(server.ask(f"{item.api}/renderings")) == 2


def test_a_variant_has_values_of_its_own(server: Server) -> None:
    item = published(server, "3.11")
    made = server.ask(f"{item.api}/variants", "POST", {"name": "West", "parameters": {"region": "west"}})
    body = {"variant_key": made["key"]}
    assert server.wait_for(server.ask(f"{item.api}/render", "POST", body)["task_id"])["code"] == 0
    assert "region:west" in item.get(f"v{made['key']}/").text
    assert "given([])" in item.get().text
    assert json.loads(server.get(f"{item.api}/parameters").text) == []
