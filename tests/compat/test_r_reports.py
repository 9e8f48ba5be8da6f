"""R Markdown reports on a real server with the real R: their values, revisions, files, mails and credentials."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from support import interpreters
from support.accounts import signed_in
from support.direct import Direct, new_item
from support.mail import PASSWORD, USER, MailServer, mail_server
from support.moments import soon
from support.oidc import LACKING, client_of, machine, oidc_provider
from support.r_world import lacking, publish, redeploy, rmd
from support.sdk import NEWEST, Sdk, installed
from support.server import Server, free_port, running_server
from support.watching import until, within

WHY = lacking("rmarkdown")
pytestmark = [
    pytest.mark.r,
    pytest.mark.compat,
    pytest.mark.xdist_group("r-reports"),
    pytest.mark.skipif(bool(WHY), reason=WHY or "R is there"),
]


@dataclass
class World:
    server: Server
    mail: MailServer

    def render(self, item: Direct, **body: Any) -> dict[str, Any]:
        """Render and wait; return what was answered, with the task's end."""
        asked = self.server.ask(f"{item.api}/render", "POST", body)
        return {**asked, **self.server.wait_for(asked["task_id"])}

    def soon(self, item: Direct, key: str = "", **more: Any) -> None:
        """Schedule a variant for a few seconds from now, and once a day."""
        body = {"type": "day", "schedule": {"N": 1}, "start_time": soon(), "timezone": "UTC", "email": True, **more}
        self.server.ask(f"{item.api}/schedule?variant_key={key}", "PUT", body)

    def renderings(self, item: Direct, key: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.server.ask(f"{item.api}/renderings?variant_key={key}")
        return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    python = interpreters.minor("3.11")
    if python is None:
        pytest.skip("no Python 3.11 on this machine")
    folder, port = tmp_path_factory.mktemp("rr"), free_port()
    extra = (
        "[R]\nEnabled = true\n[Applications]\nRenderingSweepLimit = 4\n"
        "[Server]\nEmailProvider = smtp\nSenderEmail = reports@example.org\n"
        f"[SMTP]\nHost = 127.0.0.1\nPort = {port}\nUser = {USER}\nPassword = {PASSWORD}\nCAFile = {folder}/cert.pem\n"
    )
    with mail_server(folder, port=port) as mail, running_server(folder, [Path(python)], extra) as server:
        me = server.ask("/__api__/v1/user")
        server.ask(f"/__api__/v1/users/{me['guid']}", "PUT", {"email": "ada@example.org"})
        yield World(server, mail)


PARAMETERS = """\
params:
  region:
    label: Which region
    value: everywhere
    choices: [everywhere, north, south]
  first.year: 2020
  share:
    value: 0.5
    input: slider
    min: 0
    max: 1
  all: true
  day: !r as.Date("2026-03-01")
"""
SAYS = (
    "Sales of `r params$region` from `r params$first.year + 1`, share `r params$share * 2`, "
    "`r if (isTRUE(params$all)) 'all' else 'some'`, on a `r format(params$day + 1, '%d.%m.%Y')`."
)


def test_a_report_says_which_values_it_takes(world: World) -> None:
    item = publish(world.server, rmd(SAYS, PARAMETERS))
    assert world.server.ask(item.api)["parameterized"] is True
    assert "Sales of everywhere from 2021, share 1, all, on a 02.03.2026." in item.get().text
    found = {one["name"]: one for one in world.server.ask(f"{item.api}/parameters")}
    assert list(found) == ["region", "first.year", "share", "all", "day"]
    assert found["region"]["label"] == "Which region"
    assert [choice["value"] for choice in found["region"]["choices"]] == ["everywhere", "north", "south"]
    assert (found["share"]["input"], found["share"]["minimum"], found["share"]["maximum"]) == ("slider", 0, 1)
    assert (found["day"]["input"], found["day"]["expression"]) == ("date", 'as.Date("2026-03-01")')


def test_variants_have_values_schedules_and_revisions_of_their_own(world: World) -> None:
    item = publish(world.server, rmd(SAYS, PARAMETERS))
    world.server.ask(item.api, "PATCH", {"title": "Sales"})
    values = {"region": "north", "first.year": 1990, "share": 0.25, "all": False, "day": "2026-12-30"}
    north = world.server.ask(
        f"{item.api}/variants", "POST", {"name": "North", "visibility": "public", "parameters": values}
    )
    mine = world.server.ask(f"{item.api}/variants", "POST", {"name": "Mine", "parameters": {"region": "south"}})
    world.mail.taken.clear()
    world.soon(item, north["key"])
    world.soon(item, mine["key"])
    mails = {str(taken.message["Subject"]): taken for taken in world.mail.wait_for(2, within=120)}
    assert set(mails) == {"Sales – North", "Sales – Mine"}
    assert "Sales of north from 1991, share 0.5, some, on a 31.12.2026." in mails["Sales – North"].part("html")
    assert "Sales of south from 2021" in mails["Sales – Mine"].part("html")
    assert "Sales of everywhere" in item.get().text
    assert "Sales of north" in item.get(f"v{north['key']}/").text
    assert "Sales of south" in item.get(f"v{mine['key']}/").text
    assert [len(world.renderings(item, key)) for key in ("", north["key"], mine["key"])] == [1, 1, 1]
    world.server.ask(f"{item.api}/variants/{north['key']}", "PATCH", {"parameters": {"region": "south"}})
    assert world.render(item, variant_key=north["key"])["code"] == 0
    newest, first = world.renderings(item, north["key"])
    assert "Sales of south" in item.get(f"v{north['key']}/").text
    assert "Sales of north" in item.get(f"v{north['key']}/_rev{first['id']}/").text
    with signed_in(world.server, "vera") as browser:
        assert browser.get(f"{item.path}v{north['key']}/").status_code == 200
        assert browser.get(f"{item.path}v{north['key']}/_rev{newest['id']}/").status_code == 200
        assert browser.get(f"{item.path}v{mine['key']}/").status_code == 404


def test_a_viewer_renders_it_with_their_own_values_and_nobody_else_sees_that(world: World) -> None:
    item = publish(world.server, rmd(SAYS + "\n\n```{r}\nmessage('a word for the log')\n```", PARAMETERS))
    with signed_in(world.server, "wim") as browser, signed_in(world.server, "xenia") as other:
        wanted = {"parameters": {"region": "south", "day": "2026-05-01"}}
        headers = {"X-RSC-XSRF": browser.cookies.get("RSC-XSRF") or ""}
        told = browser.post(f"/__api__/v1/content/{item.guid}/render", json=wanted, headers=headers)
        assert told.status_code == 202, told.text
        task = f"/__api__/v1/tasks/{told.json()['task_id']}?first=100000&wait=30"
        while not (done := browser.get(task, timeout=60).json())["finished"]:
            pass
        assert (done["code"], done["error"]) == (0, "")
        said = browser.get(f"/__api__/v1/tasks/{told.json()['task_id']}").json()["output"]
        assert not any("report.Rmd" in line or "word for the log" in line for line in said), said
        page = browser.get(told.json()["path"])
        assert "Sales of south from 2021, share 1, all, on a 02.05.2026." in page.text
        assert other.get(told.json()["path"]).status_code == 404
    assert item.get(told.json()["path"].removeprefix(item.path)).status == 404
    assert "Sales of everywhere" in item.get().text
    assert len(world.renderings(item)) == 1


def test_a_value_the_report_does_not_take_is_refused_before_anything_runs(world: World) -> None:
    item = publish(world.server, rmd(SAYS, PARAMETERS))
    body = json.dumps({"parameters": {"regoin": "south"}}).encode()
    answer = world.server.get(f"{item.api}/render", method="POST", body=body)
    assert answer.status == 400
    assert "has no 'regoin', but region, first.year, share, all, day" in answer.text


def test_the_sdk_renders_it_again_and_with_values(world: World, pytestconfig: pytest.Config, tmp_path: Path) -> None:
    item = publish(world.server, rmd(SAYS, PARAMETERS))
    sdk = Sdk(installed(pytestconfig, NEWEST), world.server, tmp_path)
    told = json.loads(
        sdk.run(f"""
import json
import re
from posit import connect
client = connect.Client()
item = client.content.get("{item.guid}")
item.render().wait_for()
asked = client.post("v1/content/{item.guid}/render", json={{"parameters": {{"region": "north"}}}}).json()
task = client.tasks.get(asked["task_id"])
task.wait_for()
assert task.error_code == 0, task.error_message
print(json.dumps(asked))
""")
    )
    assert len(world.renderings(item)) == 2
    assert "Sales of north" in world.server.get(told["path"]).text


MAILS = """\
```{r}
write.csv(data.frame(a = 1:2), "numbers.csv", row.names = FALSE)
png("dot.png", 300, 300); plot.new(); invisible(dev.off())
encoded <- paste(xfun::base64_encode("dot.png"), collapse = "")
rmarkdown::output_metadata$set(
  rsc_email_subject = paste("Figures for", params$who),
  rsc_email_body_html = paste("<p style='color:teal'>Dear all, <b>good</b> news.</p>",
    "<img src='cid:dot.png'><script>x()</script>"),
  rsc_email_body_text = "Dear all, good news.",
  rsc_email_images = list("dot.png" = encoded),
  rsc_email_attachments = list("numbers.csv"),
  rsc_output_files = list("numbers.csv")
)
if (params$quiet) rmarkdown::output_metadata$set(rsc_email_suppress_scheduled = TRUE)
if (params$bare) rmarkdown::output_metadata$set(rsc_email_suppress_report_attachment = TRUE)
```

The report itself.
"""
MAIL_PARAMETERS = "params:\n  who: everybody\n  quiet: false\n  bare: false\n"


def test_a_report_writes_its_mail_itself(world: World) -> None:
    item = publish(world.server, rmd(MAILS, MAIL_PARAMETERS))
    world.mail.taken.clear()
    world.soon(item)
    (taken,) = world.mail.wait_for(1, within=120)
    assert (taken.tls, taken.recipients) == (True, ["ada@example.org"])
    assert taken.message["Subject"] == "Figures for everybody"
    assert taken.part("plain").startswith("Dear all, good news.")
    html = taken.part("html")
    assert "<b>good</b> news" in html
    assert "The report itself" not in html
    assert "<script" not in html
    cid = re.search(r'src="cid:([0-9a-f]+@picture)"', html)
    assert cid, html
    pictures = [part for part in taken.message.walk() if part["Content-ID"] == f"<{cid[1]}>"]
    assert [part.get_content()[:4] for part in pictures] == [b"\x89PNG"]
    attached = {part.get_filename(): part.get_content() for part in taken.message.iter_attachments()}
    assert set(attached) == {"report.html", "numbers.csv"}
    assert "The report itself." in attached["report.html"]
    assert attached["numbers.csv"].split() == ['"a"', "1", "2"]


def test_a_report_leaves_itself_out_or_says_that_nobody_is_mailed(world: World) -> None:
    item = publish(world.server, rmd(MAILS, MAIL_PARAMETERS))
    variant = world.server.ask(f"{item.api}/variants", "POST", {"name": "Bare", "parameters": {"bare": True}})
    quiet = world.server.ask(f"{item.api}/variants", "POST", {"name": "Quiet", "parameters": {"quiet": True}})
    world.mail.taken.clear()
    world.soon(item, quiet["key"])
    until(lambda: world.renderings(item, quiet["key"]), within(60), "the quiet one is not rendered")
    world.soon(item, variant["key"])
    (taken,) = world.mail.wait_for(1, within=120)
    assert [part.get_filename() for part in taken.message.iter_attachments()] == ["numbers.csv"]
    assert f"v{variant['key']}/_rev" in taken.part("plain")


def test_what_a_report_declares_in_its_header_counts(world: World) -> None:
    header = (
        "rmd_output_metadata:\n  rsc_output_files: [notes.txt, '../outside.txt']\n"
        "  rsc_email_subject: From the header\n"
    )
    item = publish(world.server, rmd("```{r}\nwriteLines('one', 'notes.txt')\n```", header))
    world.mail.taken.clear()
    world.soon(item)
    (taken,) = world.mail.wait_for(1, within=120)
    assert taken.message["Subject"] == "From the header"
    assert "one" in item.get("notes.txt").text


def test_output_files_are_kept_with_their_revision(world: World) -> None:
    body = (
        "```{r}\nwriteLines(as.character(params$n), 'out.txt')\n"
        "rmarkdown::output_metadata$set(rsc_output_files = list('out.txt'))\n```\n\n[the file](out.txt)"
    )
    item = publish(world.server, rmd(body, "params:\n  n: 1\n"))
    (first,) = world.renderings(item)
    variant = world.server.ask(f"{item.api}/variants")[0]
    world.server.ask(f"{item.api}/variants/{variant['key']}", "PATCH", {"parameters": {"n": 2}})
    assert world.render(item)["code"] == 0
    found = item.get("out.txt")
    assert (found.text, found.headers["content-type"].partition(";")[0]) == ("2\n", "text/plain")
    assert item.get(f"_rev{first['id']}/out.txt").text == "1\n"
    item.change(access_type="acl")
    assert item.get("out.txt", Authorization="").status in (401, 403)
    with signed_in(world.server, "yves") as browser:
        assert browser.get(f"{item.path}out.txt").status_code in (403, 404)


def test_a_failed_report_tells_its_owner_and_watchers_the_lines(world: World) -> None:
    item = publish(world.server, rmd("```{r}\nif (params$n > 1) stop('no such harvest')\n```", "params:\n  n: 1\n"))
    world.server.ask(item.api, "PATCH", {"title": "Harvest"})
    watcher = world.server.ask(
        "/__api__/v1/users", "POST",
        {"username": "zoe", "email": "zoe@example.org", "user_role": "viewer", "password": "correct horse"},
    )  # fmt: skip
    assert world.server.get(f"{item.api}/failure-subscribers/{watcher['guid']}", method="PUT").status == 204
    variant = world.server.ask(f"{item.api}/variants")[0]
    world.server.ask(f"{item.api}/variants/{variant['key']}", "PATCH", {"parameters": {"n": 2}})
    world.mail.taken.clear()
    world.soon(item)
    mails = {taken.recipients[0]: taken for taken in world.mail.wait_for(2, within=120)}
    assert set(mails) == {"ada@example.org", "zoe@example.org"}
    assert {str(taken.message["Subject"]) for taken in mails.values()} == {"Harvest could not be rendered"}
    owner = mails["ada@example.org"].part("plain")
    assert "no such harvest" in owner
    assert re.search(r"report.Rmd, lines? \d+", owner), owner
    assert len(world.renderings(item)) == 1


def test_subscribers_get_their_report_as_long_as_they_may_see_it(world: World) -> None:
    item = publish(world.server, rmd("Text."))
    item.change(access_type="acl")
    made = [
        world.server.ask(
            "/__api__/v1/users", "POST",
            {"username": name, "email": f"{name}@example.org", "user_role": "viewer", "password": "correct horse"},
        )
        for name in ("quin", "rosa", "saul")
    ]  # fmt: skip
    variant = world.server.ask(f"/__api__/applications/{item.guid}/variants")[0]
    for person in made[:2]:
        world.server.ask(f"/__api__/variants/{variant['id']}/subscribers", "POST", {"guid": person["guid"]})
    for person in (made[0], made[2]):
        given = {"principal_guid": person["guid"], "principal_type": "user", "role": "viewer"}
        world.server.ask(f"{item.api}/permissions", "POST", given)
    world.mail.taken.clear()
    world.soon(item)
    mails = world.mail.wait_for(2, within=120)
    assert {taken.recipients[0] for taken in mails} == {"ada@example.org", "quin@example.org"}
    world.server.ask(f"/__api__/variants/{variant['id']}", "POST", {"email_all": True})
    world.mail.taken.clear()
    world.soon(item)
    mails = world.mail.wait_for(3, within=120)
    assert {taken.recipients[0].partition("@")[0] for taken in mails} == {"ada", "quin", "saul"}


def test_a_first_render_that_failed_points_at_its_lines_and_leads_to_its_log(world: World) -> None:
    item = publish(world.server, rmd("Text.\n\n```{r harvest}\nstop('no such harvest')\n```"), good=False)
    html = {"Accept": "text/html"}
    page = item.get(**html)
    assert page.status == 502
    assert re.search(r"report.Rmd, lines? \d+[-\d]*: no such harvest", page.text), page.text
    (job,) = [one for one in world.server.ask(f"{item.api}/jobs") if one["tag"] == "build_report"]
    assert f"/apps/{item.guid}/logs?job={job['key']}" in page.text
    visitor = item.get(Authorization="", **html)
    assert (visitor.status, "no such harvest" in visitor.text) == (502, False)
    redeploy(item, rmd("Good."))
    assert "Good." in item.get(**html).text
    (made,) = world.renderings(item)
    assert world.server.ask(f"{item.api}/jobs/{made['job_key']}/log")["entries"], "each revision has its log"


SLOW = """\
```{r}
cat("the chunk runs\\n", file = stderr())
if (params$slow) { system("sleep 61.75 & disown 2>/dev/null; true"); Sys.sleep(600) }
```

Done.
"""


def test_the_sdk_ends_a_render_and_the_last_revision_stays(
    world: World, pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    item = publish(world.server, rmd(SLOW, "params:\n  slow: false\n"))
    (first,) = world.renderings(item)
    variant = world.server.ask(f"{item.api}/variants")[0]
    world.server.ask(f"{item.api}/variants/{variant['key']}", "PATCH", {"parameters": {"slow": True}})
    sdk = Sdk(installed(pytestconfig, NEWEST), world.server, tmp_path)
    task = world.server.ask(f"{item.api}/render", "POST", {})["task_id"]
    until(_sleepers, within(60), "the chunk does not begin")
    sdk.run(f"""
from posit import connect
client = connect.Client()
item = client.content.get("{item.guid}")
(job,) = [job for job in item.jobs if job["status"] == 0]
job.destroy()
""")
    until(lambda: not _sleepers(), within(30), "a process is left")
    me = world.server.ask("/__api__/v1/user")["username"]
    done = world.server.wait_for(task)
    assert (done["code"], done["error"]) == (1, f"It was stopped by {me}.")
    assert [one["id"] for one in world.renderings(item)] == [first["id"]]
    assert "Done." in item.get().text
    job = world.server.ask(f"{item.api}/jobs")[0]
    assert (job["exit_code"], job["status"]) == (-9, 2)


def _sleepers() -> list[int]:
    found = psutil.process_iter(["cmdline"])
    return [each.pid for each in found if each.info["cmdline"] == ["sleep", "61.75"]]


ASKS = """\
```{r}
api <- paste0(Sys.getenv("CONNECT_SERVER"), "__api__/v1/")
ask <- function(path, ...) {
  handle <- curl::new_handle()
  curl::handle_setheaders(handle, Authorization = paste("Key", Sys.getenv("CONNECT_API_KEY")))
  if (...length()) curl::handle_setopt(handle, postfields = paste(..., sep = "&"))
  jsonlite::fromJSON(rawToChar(curl::curl_fetch_memory(paste0(api, path), handle)$content))
}
escape <- function(text) curl::curl_escape(text)
token <- ask("oauth/integrations/credentials",
  paste0("grant_type=", escape("urn:ietf:params:oauth:grant-type:token-exchange")),
  paste0("subject_token_type=", escape("urn:posit:connect:content-session-token")),
  paste0("subject_token=", escape(Sys.getenv("CONNECT_CONTENT_SESSION_TOKEN"))))
cat(ask("user")$username, "has", token$access_token, "and", Sys.getenv("CONNECT_API_KEY"))
```
"""


@pytest.mark.skipif(bool(LACKING) or bool(lacking("curl")), reason="no npm, or R has no curl")
def test_a_report_uses_the_account_of_its_integration(
    world: World, pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    with oidc_provider(pytestconfig, world.server, tmp_path / "log") as issuer:
        body = {"name": "Machine", "template": "custom", "config": machine(issuer)}
        made = world.server.ask("/__api__/v1/oauth/integrations", "POST", body)
        item = new_item(world.server)
        wanted = [{"oauth_integration_guid": made["guid"]}]
        world.server.ask(f"{item.api}/oauth/integrations/associations", "PUT", wanted)
        redeploy(item, rmd(ASKS))
        me = world.server.ask("/__api__/v1/user")["username"]
        said = re.search(rf"{me} has (\S+) and ([\w-]+)", item.get().text)
        assert said, item.get().text[-3000:]
        assert client_of(issuer, said[1]) == "machine"
    assert world.server.get("/__api__/v1/user", Authorization=f"Key {said[2]}").status == 401, (
        "good for the render only"
    )


def test_so_many_revisions_are_kept_and_the_others_are_gone_with_their_files(world: World) -> None:
    item = publish(world.server, rmd("Text."))
    (first,) = world.renderings(item)
    for _ in range(4):
        assert world.render(item)["code"] == 0
    kept = world.renderings(item)
    assert len(kept) == 4
    assert first["id"] not in [one["id"] for one in kept]
    assert item.get(f"_rev{first['id']}/").status == 404
    assert item.get(f"_rev{kept[-1]['id']}/").status == 200
    folders = list((world.server.data_dir / "renderings" / item.guid).iterdir())
    assert len(folders) == 4, folders
