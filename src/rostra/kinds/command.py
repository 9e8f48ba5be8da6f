"""The command that starts a process of content: the runner, under the content's own interpreter. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from rostra.kinds.kind import Start, StartContext

# Shown to every content process, read-only; it uses nothing else of Rostra.
RUNNER_DIR = Path(__file__).resolve().parent.parent / "runner"


def runner(kind: str, env: Mapping[str, str] | None = None) -> Callable[[StartContext], Start]:
    """Return the builder for content that the runner serves as ``kind``, with the variables ``env`` added."""

    def start(context: StartContext) -> Start:
        return Start(argv=_argv(kind, context), env=dict(env or {}))

    return start


def _argv(kind: str, context: StartContext) -> tuple[str, ...]:
    assert context.environment is not None, "Python content runs in an environment"
    options = {
        "--kind": kind,
        "--entrypoint": context.entrypoint,
        "--socket": str(context.socket),
        "--base-path": context.base_path,
        "--overlay": str(context.overlay),
        "--public-url": context.public_url,
    }
    # One word each (`--entrypoint=…`): an entrypoint that begins with a dash stays a value.
    words = (f"{name}={value}" for name, value in options.items())
    return (str(context.environment.python), "-u", str(RUNNER_DIR / "main.py"), *words)
