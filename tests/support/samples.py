"""Samples as running processes, on real interpreters with real packages."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from support import content_process
from support.content_environments import BuiltEnvironments
from support.content_process import Content

SAMPLES = Path(__file__).parents[2] / "samples"
SERVED_AS = {
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
Sample = Callable[..., AbstractContextManager[Content]]


@pytest.fixture(scope="session")
def environments(pytestconfig: pytest.Config) -> BuiltEnvironments:
    cache = pytestconfig.cache
    assert cache is not None
    return BuiltEnvironments(Path(cache.mkdir("environments")))


@pytest.fixture(scope="session")
def serve(environments: BuiltEnvironments, python_minor: Callable[[str], Path]) -> Sample:
    """A function: runner kind, entrypoint, folder, requirements and MAJOR.MINOR to running content."""

    @contextmanager
    def start(kind: str, entrypoint: str, folder: Path, requirements: str, minor: str) -> Iterator[Content]:
        interpreter = python_minor(minor)
        python = environments.python(interpreter, requirements)
        overlay = environments.overlay(interpreter)
        with content_process.running(python, kind, entrypoint, folder, overlay=overlay) as content:
            yield content

    return start


@pytest.fixture(scope="session")
def sample(serve: Sample) -> Sample:
    """A function: the name of a sample and MAJOR.MINOR to that sample, running."""

    def start(name: str, minor: str) -> AbstractContextManager[Content]:
        folder = SAMPLES / name
        told = json.loads((folder / "sample.json").read_text())
        requirements = (folder / "requirements.txt").read_text()
        return serve(SERVED_AS[told["kind"]], told["entrypoint"], folder, requirements, minor)

    return start
