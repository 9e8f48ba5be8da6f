"""Web applications and APIs: a WSGI or ASGI object in the author's code."""

from __future__ import annotations

from rostra.kinds.command import runner
from rostra.kinds.kind import Kind, Mode

PYTHON_API = Kind(
    name="python-api",
    number=8,
    title="Python API",
    mode=Mode.interactive,
    start=runner("wsgi"),
    job_tag="run_python_api",
    sticky=False,
    api=True,
)

FASTAPI = Kind(
    name="python-fastapi",
    number=12,
    title="Python ASGI API",
    mode=Mode.interactive,
    start=runner("asgi"),
    job_tag="run_fastapi_app",
    api=True,
)

DASH = Kind(
    name="python-dash",
    number=9,
    title="Dash application",
    mode=Mode.interactive,
    start=runner("dash"),
    job_tag="run_dash_app",
)

KINDS = (PYTHON_API, FASTAPI, DASH)
