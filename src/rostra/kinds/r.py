"""R content: documents rendered ahead, and applications and APIs with a process. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from rostra.environments.spec import Environment
from rostra.kinds.command import RUNNER_DIR
from rostra.kinds.kind import Kind, Mode, Start, StartContext

R_DIR = RUNNER_DIR / "r"
# A bundle's own .Rprofile counts, as where it was written; a person's does not, there is none.
FLAGS = ("--no-save", "--no-restore", "--no-echo")
_SHIM_FROM = (3, 12)  # the first Python without a module that older reticulates import


def served(kind: str) -> Callable[[StartContext], Start]:
    """Return the builder for content that `serve.R` serves as ``kind``."""

    def start(context: StartContext) -> Start:
        assert context.r is not None, "this kind is started only with an R"
        options = {
            "--kind": kind,
            "--entrypoint": context.entrypoint,
            "--socket": str(context.socket),
            "--public-url": context.public_url,
        }
        words = (f"{name}={value}" for name, value in options.items())
        argv = (str(context.r), *FLAGS, f"--file={R_DIR / 'serve.R'}", "--args", *words)
        return Start(argv=argv, env=variables(context.environment))

    return start


def variables(environment: Environment | None) -> Mapping[str, str]:
    """Return what R content is told: which configuration is active, and the Python that reticulate must take."""
    found = {"R_CONFIG_ACTIVE": "rsconnect"}
    if environment is not None:
        found["RETICULATE_PYTHON"] = str(environment.python)
        if environment.runtime.series >= _SHIM_FROM:
            found["PYTHONPATH"] = str(R_DIR / "python")
    return found


def primary_document(folder: Path, named: str) -> str:
    """Return the document to render: the one that is named, else index.Rmd, else the only one; empty when unclear."""
    if named:
        return named
    there = sorted(path.name for path in folder.glob("*.[Rr]md"))
    index = [name for name in there if name.lower() == "index.rmd"]
    return (index or there)[0] if index or len(there) == 1 else ""


SHINY = Kind(
    name="shiny",
    number=1,
    title="Shiny for R",
    mode=Mode.interactive,
    python=False,
    r=("shiny",),
    start=served("shiny"),
    stripped=True,
    job_tag="run_app",
)
INTERACTIVE_DOCUMENT = Kind(
    name="rmd-shiny",
    number=2,
    title="Interactive R Markdown",
    mode=Mode.interactive,
    python=False,
    r=("shiny", "rmarkdown", "pandoc"),
    start=served("document"),
    stripped=True,
    job_tag="render_shiny",
)
DOCUMENT = Kind(
    name="rmd-static",
    number=3,
    title="R Markdown",
    mode=Mode.rendered,
    python=False,
    r=("rmarkdown", "pandoc"),
    document=primary_document,
    job_tag="build_report",
)
PLUMBER = Kind(
    name="api",
    number=5,
    title="Plumber API",
    mode=Mode.interactive,
    python=False,
    r=("plumber",),
    start=served("plumber"),
    stripped=True,
    job_tag="run_api",
    sticky=False,
    api=True,
)

KINDS = (SHINY, INTERACTIVE_DOCUMENT, DOCUMENT, PLUMBER)
