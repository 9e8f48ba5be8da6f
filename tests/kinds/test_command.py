"""The command that starts content is a value: no process is needed to check it."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.version import Version

from rostra.environments.spec import Environment
from rostra.kinds import command, registry
from rostra.kinds.kind import Mode, StartContext
from rostra.runner import options
from rostra.runtimes.model import Runtime

PYTHON = Path("/environments/abc/bin/python")


def context(entrypoint: str = "app:app") -> StartContext:
    runtime = Runtime(version=Version("3.11.7"), executable=Path("/p/python3"), target=Path("/p/python3.11"))
    return StartContext(
        entrypoint=entrypoint,
        code_dir=Path("/apps/one/1"),
        environment=Environment(key="abc", runtime=runtime, python=PYTHON, root=PYTHON.parents[1], lock=""),
        overlay=Path("/overlays/x"),
        socket=Path("/run/p/k/s"),
        base_path="/content/one/",
        public_url="https://h.example/content/one/",
    )


INTERACTIVE = [kind for kind in registry.ALL.values() if kind.mode is Mode.interactive and kind.python]


@pytest.mark.parametrize("kind", INTERACTIVE, ids=lambda kind: kind.name)
def test_content_starts_with_its_own_interpreter_and_words_the_runner_reads_back(kind: registry.Kind) -> None:
    assert kind.start is not None
    argv = kind.start(context()).argv
    assert argv[:3] == (str(PYTHON), "-u", str(command.RUNNER_DIR / "main.py"))
    read = options.parse(argv[3:])
    assert (read.entrypoint, read.socket, read.base_path) == ("app:app", "/run/p/k/s", "/content/one/")
    assert (read.overlay, read.public_url) == ("/overlays/x", "https://h.example/content/one/")


def test_each_kind_is_served_as_what_it_is() -> None:
    served = {kind.name: options.parse(kind.start(context()).argv[3:]).kind for kind in INTERACTIVE if kind.start}
    assert served == {
        "python-api": "wsgi",
        "python-fastapi": "asgi",
        "python-dash": "dash",
        "python-streamlit": "streamlit",
        "python-bokeh": "bokeh",
        "python-panel": "panel",
        "python-gradio": "gradio",
        "python-shiny": "shiny",
        "jupyter-voila": "voila",
    }


@pytest.mark.parametrize("entrypoint", ["", "--kind=asgi", "a b", "-x"])
def test_an_odd_entrypoint_stays_one_value(entrypoint: str) -> None:
    argv = command.runner("wsgi")(context(entrypoint)).argv
    assert options.parse(argv[3:]).entrypoint == entrypoint


def test_the_runner_is_where_the_command_says() -> None:
    assert (command.RUNNER_DIR / "main.py").is_file()
