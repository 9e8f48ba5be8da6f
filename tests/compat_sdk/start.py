"""What every program of `test_methods` begins with; read as text, run by the SDK's own interpreter."""
# ruff: noqa

import atexit, hashlib, io, json, os, sys, tarfile, time, uuid

_called = set()


def _trace(frame, event, _):
    if event == "call" and "/posit/connect/" in frame.f_code.co_filename:
        _called.add(frame.f_code.co_qualname)


def _write():
    sys.setprofile(None)
    with open(os.environ["SDK_CALLS"], "w") as file:
        json.dump(sorted(_called), file)


from posit import connect
from posit.connect.errors import ClientError

sys.setprofile(_trace)
atexit.register(_write)
client = connect.Client()


def unique(name):
    return name + uuid.uuid4().hex[:8]


def without(found, *names):
    return {name: value for name, value in found.items() if name not in names}


def refused(status, call, code=None):
    try:
        call()
    except ClientError as why:
        assert why.http_status == status and (code is None or why.error_code == code), why
        return True
    raise AssertionError("it was allowed")


def raises(kind, call):
    try:
        call()
    except kind:
        return
    raise AssertionError(f"no {kind.__name__}")


def until(found, seconds=60):
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        value = found()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError("it never came")


def packed(files, metadata, **more):
    listed = {name: {"checksum": hashlib.md5(data).hexdigest()} for name, data in files.items()}
    manifest = {"version": 1, "metadata": metadata, "files": listed, **more}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, data in {"manifest.json": json.dumps(manifest).encode(), **files}.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


def page(text):
    return packed({"index.html": f"<p>{text}".encode()}, {"appmode": "static", "primary_html": "index.html"})


def python():
    version = ".".join(map(str, sys.version_info[:3]))
    return {"version": version, "package_manager": {"name": "pip", "package_file": "requirements.txt"}}


API = b"""
import json
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        return await send({"type": "lifespan.shutdown.complete"})
    told = {"headers": [[k.decode("latin-1"), v.decode("latin-1")] for k, v in scope["headers"]]}
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(told).encode()})
"""


def api(requirements=""):
    files = {"app.py": API, "requirements.txt": requirements.encode()}
    return packed(files, {"appmode": "python-fastapi", "entrypoint": "app:app"}, python=python())


def notebook():
    cells = [
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "six times seven"},
        {
            "cell_type": "code",
            "id": "b",
            "metadata": {},
            "source": "print(6 * 7)",
            "outputs": [],
            "execution_count": None,
        },
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    told = {"nbformat": 4, "nbformat_minor": 5, "metadata": kernel, "cells": cells}
    files = {"report.ipynb": json.dumps(told).encode(), "requirements.txt": b""}
    return packed(files, {"appmode": "jupyter-static", "entrypoint": "report.ipynb"}, python=python())
