"""Station log: an API over temperature readings, with a live page."""

import statistics
import sys
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, HTTPException, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import FileResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles

HERE = Path(__file__).parent


@asynccontextmanager
async def lifespan(app: FastAPI):
    """Read the readings once, before the first visit."""
    lines = (HERE / "readings.csv").read_text().splitlines()[1:]
    app.state.readings = {}
    for station, value in (line.split(",") for line in lines):
        app.state.readings.setdefault(station, []).append(float(value))
    yield
    app.state.readings.clear()


app = FastAPI(title="Station log", summary="Temperature readings of four stations.", lifespan=lifespan)
app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")


@app.get("/", include_in_schema=False)
def home():
    return FileResponse(HERE / "static" / "index.html")


@app.get("/version")
def version():
    """The Python this runs on."""
    return {"version": python_version()}


@app.get("/whereabouts", include_in_schema=False)
def whereabouts(request: Request):
    return {"root_path": request.scope.get("root_path"), "url": str(request.url_for("whereabouts"))}


@app.get("/stations")
def stations(request: Request):
    return sorted(request.app.state.readings)


@app.get("/stations/{name}")
def station(name: str, request: Request):
    """Mean, lowest and highest reading of one station."""
    values = request.app.state.readings.get(name)
    if values is None:
        raise HTTPException(404, f"There is no station {name}.")
    return {"station": name, "mean": round(statistics.mean(values), 2), "lowest": min(values), "highest": max(values)}


@app.get("/first", include_in_schema=False)
def first(request: Request):
    return RedirectResponse(request.url_for("station", name=sorted(request.app.state.readings)[0]))


@app.websocket("/live")
async def live(socket: WebSocket):
    """Answer each number with the mean of all numbers sent so far."""
    await socket.accept()
    values = []
    try:
        while True:
            values.append(float(await socket.receive_text()))
            await socket.send_json({"count": len(values), "mean": round(statistics.mean(values), 3)})
    except (WebSocketDisconnect, ValueError):
        return


def python_version():
    return ".".join(map(str, sys.version_info[:3]))
