"""What one item of the rehearsal corpus is: a bundle in miniature, and which Pythons it moves between."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import dataclass, field
from typing import Any

WSGI = """\
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(page(environ["PATH_INFO"])).encode()]

"""
ASGI = """\
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"fine"})

"""
FLASK = """\
from flask import Flask
app = Flask(__name__)

@app.route("/")
def index():
    return "fine"

"""
FASTAPI = """\
from fastapi import FastAPI
app = FastAPI()

@app.get("/")
def index():
    return {"fine": True}

"""


@dataclass(frozen=True, kw_only=True)
class Item:
    """``paths`` are all pages there are: the truth asks for each, a rehearsal for the first.

    ``clicks`` are the buttons a visitor of a dashboard presses.
    ``cells`` make a notebook, otherwise ``code`` is ``app.py``. ``files`` lie beside it. ``on`` and ``onto`` are
    MAJOR.MINOR. ``gate``: one of those that are really rehearsed by the tests.
    """

    name: str
    why: str
    on: str = "3.8"
    onto: str = "3.13"
    kind: str = "python-api"
    code: str = ""
    cells: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    paths: tuple[str, ...] = ("",)
    clicks: tuple[str, ...] = ()
    range: str = ""
    gate: bool = False

    @property
    def entrypoint(self) -> str:
        if self.cells:
            return "report.ipynb"
        whole = {"python-streamlit": "app.py", "python-bokeh": "app.py", "python-panel": "app.py"}
        return whole.get(self.kind, "app:demo" if self.kind == "python-gradio" else "app:app")

    @property
    def mode(self) -> str:
        return "jupyter-static" if self.cells and self.kind == "python-api" else self.kind

    def tree(self, python: str) -> dict[str, str]:
        """Return all files of the bundle; ``python`` is the author's full version."""
        main = {"report.ipynb": notebook(self.cells)} if self.cells else {"app.py": self.code}
        listed = {"requirements.txt": "".join(f"{line}\n" for line in self.requires)}
        return {**main, **self.files, **listed, "manifest.json": json.dumps(self.manifest(python))}

    def manifest(self, python: str) -> dict[str, Any]:
        told: dict[str, Any] = {
            "version": 1,
            "metadata": {"appmode": self.mode, "entrypoint": self.entrypoint},
            "python": {"version": python, "package_manager": {"name": "pip", "package_file": "requirements.txt"}},
            "files": {},
        }
        return told | ({"environment": {"python": {"requires": self.range}}} if self.range else {})

    def bundle(self, python: str) -> bytes:
        """Return the archive a client would upload."""
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:gz") as made:
            for name, text in sorted(self.tree(python).items()):
                info = tarfile.TarInfo(name)
                info.size = len(text.encode())
                made.addfile(info, io.BytesIO(text.encode()))
        return out.getvalue()


def notebook(cells: tuple[str, ...]) -> str:
    code = [
        {"cell_type": "code", "metadata": {}, "execution_count": None, "outputs": [], "source": cell} for cell in cells
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return json.dumps({"nbformat": 4, "nbformat_minor": 4, "metadata": kernel, "cells": code})


def wsgi(body: str = 'return "fine"', *, above: str = "") -> str:
    """A WSGI application whose page is the function body ``body``, after the lines ``above``."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return f"{above}\n\ndef page(path):\n{lines}\n\n{WSGI}"
