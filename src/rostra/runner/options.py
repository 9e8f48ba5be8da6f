"""What the runner is told on its command line. Pure."""

from __future__ import annotations

import argparse
from typing import NamedTuple, Sequence
from urllib.parse import unquote

KINDS = ("wsgi", "asgi", "dash", "streamlit", "bokeh", "panel", "gradio", "shiny", "voila")


class Options(NamedTuple):
    """``base_path`` has both slashes; ``overlay`` and ``public_url`` may be empty."""

    kind: str
    entrypoint: str
    socket: str
    base_path: str
    overlay: str = ""
    public_url: str = ""

    @property
    def prefix(self) -> str:
        """The base path as applications see it: decoded, without the closing slash; empty at the root."""
        return unquote(self.base_path).rstrip("/")


def parse(words: Sequence[str]) -> Options:
    parser = argparse.ArgumentParser(prog="runner", allow_abbrev=False)
    parser.add_argument("--kind", required=True, choices=KINDS)
    parser.add_argument("--entrypoint", required=True)
    parser.add_argument("--socket", required=True)
    parser.add_argument("--base-path", required=True)
    parser.add_argument("--overlay", default="")
    parser.add_argument("--public-url", default="")
    found = vars(parser.parse_args(words))
    found["base_path"] = "/" + found["base_path"].strip("/") + "/" if found["base_path"].strip("/") else "/"
    return Options(**found)
