"""A FastAPI application without a page at its root, with mounts and a WebSocket."""

import tempfile
from pathlib import Path

from fastapi import FastAPI, Request, WebSocket
from fastapi.staticfiles import StaticFiles

app = FastAPI()
folder = tempfile.mkdtemp()
Path(folder, "a.txt").write_text("asset")
app.mount("/static", StaticFiles(directory=folder), name="static")
inner = FastAPI()
app.mount("/inner", inner)


@app.get("/where")
def where(request: Request):
    return {"url": str(request.url_for("where")), "asset": str(request.url_for("static", path="a.txt"))}


@inner.get("/deep")
def deep(request: Request):
    return {"root": request.scope["root_path"]}


@app.websocket("/ws")
async def talk(socket: WebSocket):
    await socket.accept()
    await socket.send_text("hello")
    await socket.close()
