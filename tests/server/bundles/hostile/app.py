"""Content that wants out. ``told.json`` beside it says what there is to get at."""

# ruff: noqa: PTH118, PTH120, PTH208, PTH123, PTH101

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from flask import Flask, jsonify, request

app = Flask(__name__)
TOLD = json.loads(Path(__file__).with_name("told.json").read_text())


def attempt(what):
    try:
        found = what()
    except BaseException as why:
        return {"failed": type(why).__name__ + ": " + str(why)[:200]}
    return {"worked": repr(found)[:300]}


def reads(path):
    with open(path, "rb") as file:
        return file.read(100)


def writes(path):
    with open(path, "ab") as file:
        file.write(b"pwned")
    return "written"


def connects(path):
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(path)
    return "connected"


def foreign_processes():
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            words = Path("/proc", name, "cmdline").read_bytes()
            if any(mark in words for mark in (b"rostra.app", b"rostra.gateway", b"rostra.execution", b"rsconnect")):
                found.append(words.decode())
    if len([name for name in os.listdir("/proc") if name.isdigit()]) > 12:
        found.append("more processes than are ours")
    assert found, "only our own"
    return found


def server_environment():
    found = [repr(dict(os.environ)).encode()]
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            found.append(Path("/proc", name, "environ").read_bytes())
    told = [words for words in found if TOLD["canary"].encode() in words]
    assert told, "nothing of the server's"
    return told


def attaches():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(16, TOLD["keeper"], 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")
    return "attached"


def mounts():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", b"/tmp", b"tmpfs", 0, None) != 0:
        raise OSError(ctypes.get_errno(), "mount")
    return "mounted"


def kills():
    for pid in TOLD["processes"]:
        try:
            os.kill(pid, signal.SIGKILL)
            return "killed"
        except ProcessLookupError:
            pass
    raise ProcessLookupError("none of them is there")


def becomes_root():
    os.setuid(0)
    return os.getuid()


def lists(path):
    found = os.listdir(path)
    assert found, "it is empty"
    return found


def runs_as_root():
    assert os.getuid() == 0 or os.geteuid() == 0, "not root"
    return "root"


def remounts_code():
    os.chmod(os.path.dirname(__file__), 0o777)
    return writes(os.path.join(os.path.dirname(__file__), "evil.py"))


def new_namespace():
    inside = ["unshare", "--mount", "--user", "--map-root-user", "mount", "-o", "remount,rw", "/"]
    done = subprocess.run(inside, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return "remounted"


@app.get("/")
def index():
    attempts = {f"read {path}": (lambda path=path: reads(path)) for path in TOLD["reads"]}
    attempts |= {f"list {path}": (lambda path=path: lists(path)) for path in TOLD["lists"]}
    attempts |= {f"write {path}": (lambda path=path: writes(path)) for path in TOLD["writes"]}
    attempts |= {f"connect {path}": (lambda path=path: connects(path)) for path in TOLD["sockets"]}
    attempts |= {
        "write own code": remounts_code,
        "write beside own code": lambda: writes(__file__),
        "write environment": lambda: writes(os.path.join(os.path.dirname(os.__file__), "site.py")),
        "write site-packages": lambda: writes(sys.modules["flask"].__file__),
        "see other processes": foreign_processes,
        "server's environment": server_environment,
        "ptrace": attaches,
        "mount": mounts,
        "kill": kills,
        "become root": becomes_root,
        "be root": runs_as_root,
        "new namespace": new_namespace,
        "raw device": lambda: reads("/dev/sda"),
        "kernel memory": lambda: reads("/dev/mem"),
        "kernel settings": lambda: writes("/proc/sys/kernel/hostname"),
    }
    return jsonify({name: attempt(what) for name, what in attempts.items()})


@app.get("/headers")
def headers():
    shown = [[name, value] for name, value in request.headers.items()]
    return jsonify({"headers": shown, "cookies": dict(request.cookies), "user": request.environ.get("REMOTE_USER")})


@app.get("/listing")
def listing():
    data, own = TOLD["data"], Path(__file__).parent.parent.name
    folders = (".", "apps", "run", "run/p", "apps/" + own)
    return jsonify({name: os.listdir(os.path.join(data, name)) for name in folders})


@app.get("/environment")
def environment():
    return jsonify(dict(os.environ))
