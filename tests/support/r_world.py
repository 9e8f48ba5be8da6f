"""A server with R for tests, and R documents published straight through the API."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

from support.bundles import bundle
from support.direct import Direct, new_item
from support.server import Server

R = shutil.which("R")


def lacking(*packages: str) -> str:
    """Return why tests that need R with these packages cannot run here; empty when they can."""
    if R is None:
        return "no R on this machine"
    if shutil.which("pandoc") is None:
        return "no pandoc on this machine"
    question = "cat(Filter(function(p) !nzchar(system.file(package = p)), commandArgs(TRUE)))"
    asked = subprocess.run([R, "--no-echo", "--vanilla", "-e", question, "--args", *packages],
                           capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
    return f"R lacks {asked.stdout}" if asked.stdout.strip() else ""


def rmd(body: str, header: str = "", **files: str | bytes) -> dict[str, str | bytes]:
    """Return the files of a small document; a plain page is made quickest."""
    output = "output:\n  html_document: {theme: null, mathjax: null, highlight: null}\n"
    return {"report.Rmd": f"---\ntitle: Report\n{header}{output}---\n\n{body}\n", **files}


def publish(server: Server, files: Mapping[str, str | bytes], *, good: bool = True, **manifest: Any) -> Direct:
    """Publish files as R Markdown, or as what ``manifest`` says; one that should fail is published nevertheless."""
    item = new_item(server)
    redeploy(item, files, good=good, **manifest)
    return item


def redeploy(item: Direct, files: Mapping[str, str | bytes], *, good: bool = True, **manifest: Any) -> Any:
    """Publish a further version, and return how the task ended."""
    has_parameters = "params:" in str(files.get("report.Rmd", ""))
    metadata = {"appmode": "rmd-static", "primary_rmd": "report.Rmd", "has_parameters": has_parameters}
    packed = bundle(dict(files), **{"platform": "4.2.2", "metadata": metadata, "packages": {}, **manifest})
    sent = item.server.get(f"{item.api}/bundles", method="POST", body=packed)
    assert sent.status in (200, 201), sent.text
    done = item.server.wait_for(item.start_deploy(int(json.loads(sent.text)["id"])))
    assert (done["code"] == 0) == good, done
    return done
