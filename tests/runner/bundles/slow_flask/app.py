"""A Flask application with slow, large and streamed answers."""

import threading
import time

from flask import Flask, Response, request

app = Flask(__name__)


@app.get("/slow")
def slow():
    print("slow began", flush=True)
    time.sleep(0.6)
    return "done"


@app.post("/size")
def size():
    total = 0
    while chunk := request.stream.read(65536):
        total += len(chunk)
    return str(total)


@app.get("/drip")
def drip():
    gate = threading.Event()

    def parts():
        yield "first\n"
        gate.wait(0.5)
        yield "second\n"

    return Response(parts(), mimetype="text/plain")


@app.get("/echo/<path:rest>")
def echo(rest):
    return {"rest": rest, "url": request.url, "root": request.script_root, "address": request.remote_addr}
