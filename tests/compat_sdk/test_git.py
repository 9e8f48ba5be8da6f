"""Content from Git with the SDK: a real git and git's own server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support import git_server

from rostra.config.sections import Settings
from rostra.content.git import find

pytestmark = [
    pytest.mark.compat,
    pytest.mark.server,
    pytest.mark.skipif(find(Settings()) is None, reason="git is not installed"),
]
PROGRAM = """
from posit import connect
client = connect.Client()
item = client.content.create(name="from-git", title="From Git", access_type="all")
assert item.repository is None
made = item.create_repository(repository="{url}", branch="main", directory="site", polling=False)
assert (made["repository"], made["branch"], made["directory"], made["polling"]) == ("{url}", "main", "site", False)
assert dict(item.repository) == dict(made)
task = item.deploy()
task.wait_for()
assert task.error_code == 0 and not task.error_message, dict(task)
there = item.repository
assert there["last_known_commit"] == "{commit}" and there["last_error"] is None, dict(there)
assert client.content.get(item["guid"]).bundles.find()[0]["metadata"]["source_commit"] == "{commit}"
made.update(polling=True)
assert made["polling"] is True and made["branch"] == "main"
made.destroy()
assert item.repository is None
print(item["guid"])
"""


def test_the_sdk_publishes_from_git(sdk: Any, tmp_path: Path) -> None:
    with git_server.serving(tmp_path) as server:
        remote = server.remote()
        commit = remote.site("by the SDK", folder="site")
        guid = sdk.run(PROGRAM.replace("{url}", remote.url).replace("{commit}", commit)).strip()
        assert "by the SDK" in sdk.server.get(f"/content/{guid}/").text
