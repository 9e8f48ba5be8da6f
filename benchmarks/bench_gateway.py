"""P10: the gateway against proxies, all before the same backends: requests, latency, WebSockets, large bodies, memory.

With a role, this module is one of the processes of its own set-up: ``python -m benchmarks.bench_gateway backend DIR``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import uvloop

from benchmarks.harness import Row, interleaved, rounds, row

NAME = "gateway"
ITEM = "/content/0a1b-2c3d/"
COOKIE = "rsconnect=0123456789abcdefghijklmnopqrstuvwxyz; rostra-process=abcdefghijklmnop; theme=dark"
BODY = b"x" * 1024
_WRK = shutil.which("wrk")
_NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
_CLIENTS, _SECONDS = 64, 1.5
_SOCKETS, _ECHOES = 32, 400
_MEGABYTES = 200

_NGINX_CONFIG = """
daemon off; master_process off; worker_processes 1; pid {folder}/{name}.pid; error_log {folder}/{name}.log crit;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 10000000; client_max_body_size 0;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2;
  fastcgi_temp_path {folder}/t3; uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  {http}
}}
"""
_PROXY = """
map $http_upgrade $upgrade {{ default upgrade; '' ''; }}
upstream app {{ server unix:{backend}; keepalive 128; keepalive_requests 10000000; }}
server {{
  listen 127.0.0.1:{port};
  location / {{
    proxy_pass http://app; proxy_http_version 1.1; proxy_max_temp_file_size 0; proxy_request_buffering off;
    proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $upgrade; proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;
  }}
}}
"""
_NATIVE = "server {{ listen unix:{backend}; listen 127.0.0.1:{port}; location / {{ return 200 '{body}'; }} }}"


def run(quick: bool) -> list[Row]:
    """Return the findings for P10; peers that are not installed are left out, and said."""
    if _WRK is None or _NGINX is None:
        missing = ", ".join(name for name, path in (("wrk", _WRK), ("nginx", _NGINX)) if path is None)
        print(f"gateway: {missing} not installed, nothing measured", file=sys.stderr)
        return []
    findings: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="rb-") as name:
        findings += _before("python", Path(name) / "1", quick)
        findings += _before("native", Path(name) / "2", quick)
        findings += _streams(Path(name) / "3", quick)
    return findings


def _before(kind: str, folder: Path, quick: bool) -> list[Row]:
    """Requests a second before a backend of ``kind``; latency too before the native one, which answers directly too."""
    folder.mkdir()
    with contextlib.ExitStack() as stack:
        backend = folder / "app.sock"
        direct = _start_uvicorn(stack, backend) if kind == "python" else _start_native(stack, folder, backend)
        planes = _start_planes(stack, folder, backend)
        reached = {name: _requests(port, _CLIENTS, quick) for name, (port, _) in planes.items()}
        gateway = planes["ours"][1]
        cpu, seconds = _cpu_seconds(gateway.pid), []
        results: dict[str, list[float]] = {name: [] for name in reached}
        turns = {name: (lambda name=name: results[name].append(reached[name]()[0])) for name in reached}
        seconds = interleaved(turns, rounds(quick))
        cpu = _cpu_seconds(gateway.pid) - cpu
        rates = {name: statistics.median(found) for name, found in results.items()}
        served = sum(results["ours"]) * (_SECONDS if not quick else 1.0)
        found = _rates(kind, rates)
        what = f"CPU of one request, {kind} backend"
        ours = cpu / served * 1e6
        found.append(row("P10", what, ours=ours, peer=None, unit="us", target="<= 35 us", met=ours <= 35))
        if kind == "native":
            found.append(_latency({"direct": direct, **{name: port for name, (port, _) in planes.items()}}, quick))
        assert seconds
    return found


def _rates(kind: str, rates: Mapping[str, float]) -> list[Row]:
    least = {"nginx": 0.85 if kind == "python" else 0.75, "configurable-http-proxy": 5.0, "caddy": 2.0, "haproxy": 0.0}
    found = []
    for name, rate in rates.items():
        if name != "ours":
            met = rates["ours"] >= least[name] * rate if least[name] else None
            target = f">= {least[name]}x" if least[name] else "-"
            what = f"1 KB answers, {_CLIENTS} connections, {kind} backend, against {name}"
            found.append(row("P10", what, ours=rates["ours"], peer=rate, unit="requests/s", target=target, met=met))
    return found


def _latency(ports: Mapping[str, int], quick: bool) -> Row:
    asked = {name: _requests(ports[name], 1, quick) for name in ("direct", "ours", "nginx")}
    results: dict[str, list[float]] = {name: [] for name in asked}
    interleaved({name: (lambda name=name: results[name].append(asked[name]()[1])) for name in asked}, rounds(quick))
    median = {name: statistics.median(found) for name, found in results.items()}
    ours, nginx = median["ours"] - median["direct"], median["nginx"] - median["direct"]
    what = "added median latency, one connection, against nginx"
    return row("P10", what, ours=ours, peer=nginx, unit="us", target="<= 1.7x", met=ours <= 1.7 * nginx)


def _streams(folder: Path, quick: bool) -> list[Row]:
    folder.mkdir()
    repeats, megabytes = rounds(quick), _MEGABYTES // (4 if quick else 1)
    with contextlib.ExitStack() as stack:
        backend = folder / "app.sock"
        _start(stack, [sys.executable, "-m", "benchmarks.bench_gateway", "backend", str(backend)], listens=backend)
        planes = _start_planes(stack, folder, backend, only=("ours", "nginx"))
        ports = {name: port for name, (port, _) in planes.items()}
        found = [
            _compared("WebSocket echoes, 32 connections", ports, _echo, repeats, 0.8, _SOCKETS * _ECHOES, "echoes/s")
        ]
        before = _resident(planes["ours"][1].pid)
        size = megabytes * 1_000_000
        for what, action in (("download", _download), ("upload", _upload)):
            name = f"{megabytes} MB {what}, against nginx"
            found.append(
                _compared(name, ports, lambda port, act=action: act(port, size), repeats, 0.5, megabytes, "MB/s")
            )
        grown = (_resident(planes["ours"][1].pid) - before) / 1e6
        what = f"memory grown after {2 * repeats} bodies of {megabytes} MB"
        found.append(row("P10", what, ours=grown, peer=None, unit="MB", target="<= 16 MB", met=grown <= 16))
    return found


def _compared(
    what: str,
    ports: Mapping[str, int],
    action: Callable[[int], None],
    repeats: int,
    least: float,
    amount: float,
    unit: str,
) -> Row:
    seconds = interleaved({name: (lambda port=port: action(port)) for name, port in ports.items()}, repeats)
    rates = {name: amount / taken for name, taken in seconds.items()}
    met = rates["ours"] >= least * rates["nginx"]
    return row("P10", what, ours=rates["ours"], peer=rates["nginx"], unit=unit, target=f">= {least}x", met=met)


# Load


def _requests(port: int, clients: int, quick: bool) -> Callable[[], tuple[float, float]]:
    """Return a function that loads ``port`` for a moment: (requests a second, median latency in microseconds)."""
    seconds = 1 if quick else _SECONDS
    url = f"http://127.0.0.1:{port}{ITEM}page?x=1"
    command = [str(_WRK), "-t1", f"-c{clients}", f"-d{seconds}s", "--latency", "-H", f"Cookie: {COOKIE}", url]
    command[3] = f"-d{max(1, round(seconds))}s"

    def load() -> tuple[float, float]:
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        if "Non-2xx" in said or "Socket errors" in said:
            raise RuntimeError(f"the load met errors: {said}")
        rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
        median = re.search(r"50%\s+([\d.]+)(us|ms)", said)
        assert rate is not None
        assert median is not None
        return float(rate[1]), float(median[1]) * (1000 if median[2] == "ms" else 1)

    return load


class _EchoClient(asyncio.Protocol):
    """Asks for a WebSocket, then sends one message after each that came back."""

    def __init__(self, done: asyncio.Future[None]) -> None:
        self.done, self.left, self.got, self.open = done, _ECHOES, 0, False
        self.message = b"\x82\x80\0\0\0\0"[:1] + bytes([0x80 | 64]) + b"\0\0\0\0" + b"m" * 64

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        head = f"GET {ITEM}ws HTTP/1.1\r\nHost: a\r\nCookie: {COOKIE}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        transport.write((head + "Sec-WebSocket-Key: eA==\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        if not self.open:
            assert data.startswith(b"HTTP/1.1 101"), data
            self.open = True
        else:
            self.got += len(data)
            if self.got < len(self.message):
                return
            self.got = 0
            self.left -= 1
        if self.left:
            self.transport.write(self.message)  # type: ignore[attr-defined]
        elif not self.done.done():
            self.done.set_result(None)
            self.transport.close()


def _echo(port: int) -> None:
    async def all_of_them() -> None:
        loop = asyncio.get_running_loop()
        done = [loop.create_future() for _ in range(_SOCKETS)]
        await asyncio.gather(
            *(loop.create_connection(lambda one=one: _EchoClient(one), "127.0.0.1", port) for one in done)
        )
        await asyncio.gather(*done)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(all_of_them())


def _download(port: int, size: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(f"GET {ITEM}{size} HTTP/1.1\r\nHost: a\r\nCookie: {COOKIE}\r\n\r\n".encode())
        buffer, got = bytearray(1_000_000), 0
        while got < size:
            count = client.recv_into(buffer)
            assert count, "cut short"
            got += count


def _upload(port: int, size: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as client:
        head = f"POST {ITEM}up HTTP/1.1\r\nHost: a\r\nCookie: {COOKIE}\r\nContent-Length: {size}\r\n\r\n"
        client.sendall(head.encode())
        piece = b"x" * 1_000_000
        for _ in range(size // len(piece)):
            client.sendall(piece)
        assert client.recv(100).startswith(b"HTTP/1.1 200")


# The processes


def _start_planes(
    stack: contextlib.ExitStack, folder: Path, backend: Path, only: tuple[str, ...] = ()
) -> dict[str, tuple[int, subprocess.Popen[bytes]]]:
    """Start the gateway and every peer that is here, all before ``backend``."""
    run_dir = folder / "run"
    run_dir.mkdir()
    here = [sys.executable, "-m", "benchmarks.bench_gateway"]
    _start(stack, [*here, "control", str(run_dir), str(backend)], listens=run_dir / "decide.sock")
    port = _free_port()
    ours = [sys.executable, "-m", "rostra.gateway", "--listen", f"127.0.0.1:{port}", "--run-dir", str(run_dir)]
    planes = {"ours": (port, _start(stack, ours, listens=port))}
    port = _free_port()
    planes["nginx"] = (port, _start_nginx(stack, folder, "proxy", port, _PROXY.format(backend=backend, port=port)))
    for name, command in _others(backend).items():
        if only and name not in only:
            continue
        if shutil.which(name) is None:
            print(f"gateway: {name} not installed, left out", file=sys.stderr)
            continue
        port = _free_port()
        planes[name] = (port, _start(stack, [part.format(port=port) for part in command], listens=port))
    return planes


def _others(backend: Path) -> dict[str, list[str]]:
    chp = ["configurable-http-proxy", "--ip", "127.0.0.1", "--port", "{port}", "--api-port", str(_free_port())]
    return {
        "configurable-http-proxy": [*chp, "--default-target", f"unix+http://{str(backend).replace('/', '%2F')}"],
        "caddy": ["caddy", "reverse-proxy", "--from", "http://127.0.0.1:{port}", "--to", f"unix/{backend}"],
    }


def _start_uvicorn(stack: contextlib.ExitStack, backend: Path) -> int:
    command = [sys.executable, "-m", "uvicorn", "benchmarks.bench_gateway:app", "--uds", str(backend)]
    _start(stack, [*command, "--log-level", "error", "--no-access-log"], listens=backend)
    return 0


def _start_native(stack: contextlib.ExitStack, folder: Path, backend: Path) -> int:
    port = _free_port()
    _start_nginx(stack, folder, "native", port, _NATIVE.format(backend=backend, port=port, body=BODY.decode()))
    return port


def _start_nginx(stack: contextlib.ExitStack, folder: Path, name: str, port: int, http: str) -> subprocess.Popen[bytes]:
    config = folder / f"{name}.conf"
    config.write_text(_NGINX_CONFIG.format(folder=folder, name=name, http=http))
    return _start(stack, [str(_NGINX), "-c", str(config), "-e", str(folder / "log")], listens=port)


def _start(stack: contextlib.ExitStack, command: list[str], *, listens: int | Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    for _ in range(500):
        if _listens(listens):
            return process
        time.sleep(0.02)
    raise RuntimeError(f"{command[0]} does not listen")


def _listens(where: int | Path) -> bool:
    family = socket.AF_INET if isinstance(where, int) else socket.AF_UNIX
    with socket.socket(family) as probe:
        return probe.connect_ex(("127.0.0.1", where) if isinstance(where, int) else str(where)) == 0


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# Backends and control


async def app(scope, receive, send):  # type: ignore[no-untyped-def]
    """The Python backend: 1 KB, as quick as uvicorn can."""
    if scope["type"] == "http":
        headers = [(b"content-type", b"text/plain"), (b"content-length", b"1024")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": BODY})


class _Backend(asyncio.Protocol):
    """Echoes after an upgrade, sends as many bytes as the path says, or counts what is uploaded."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.left = -1  # of an upload
        self.echoes = False
        self.sending = 0

    def data_received(self, data: bytes) -> None:
        write = self.transport.write  # type: ignore[attr-defined]
        if self.echoes:
            write(data)
        elif self.left > 0:
            self.upload(data)
        elif b"Upgrade: websocket" in data or b"upgrade: websocket" in data.lower():
            self.echoes = True
            write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        elif data.startswith(b"POST"):
            head, _, rest = data.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            assert length is not None
            self.left = int(length[1])
            self.upload(rest)
        else:
            self.sending = int(data.split(b" ", 2)[1].rpartition(b"/")[2])
            write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % self.sending)
            self.resume_writing()

    def upload(self, data: bytes) -> None:
        self.left -= len(data)
        if not self.left:
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")  # type: ignore[attr-defined]

    full = False

    def pause_writing(self) -> None:
        self.full = True

    def resume_writing(self) -> None:
        self.full = False
        while self.sending and not self.full:
            piece = b"x" * min(self.sending, 262_144)
            self.sending -= len(piece)
            self.transport.write(piece)  # type: ignore[attr-defined]


async def _serve_backend(path: str) -> None:
    server = await asyncio.get_running_loop().create_unix_server(_Backend, path)
    await server.serve_forever()


async def _serve_control(run_dir: Path, backend: str) -> None:
    """Decide everything for one pool with one process; a decision lasts five seconds."""
    pool = {"push": "pool", "pool": "p", "processes": [{"key": "abcdefghijklmnop", "socket": backend, "room": 100_000}]}
    decision = {"to": "pool", "prefix": ITEM, "base": ITEM, "pool": "p", "item": "i", "user": "u", "sticky": True}
    identity = [["RStudio-Connect-Credentials", '{"user":"ann","groups":["all","analysts"]}']]

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(json.dumps(pool).encode() + b"\n")
        while line := await reader.readline():
            asked = json.loads(line)
            if asked.get("ask") == "decide":
                answer = {"id": asked["id"], **decision, "headers": identity, "ttl": 5}
                writer.write(json.dumps(answer).encode() + b"\n")

    server = await asyncio.start_unix_server(talk, run_dir / "decide.sock")
    await server.serve_forever()


def _roles(arguments: list[str]) -> Iterator[None]:
    role, *rest = arguments
    work = _serve_backend(rest[0]) if role == "backend" else _serve_control(Path(rest[0]), rest[1])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield runner.run(work)


if __name__ == "__main__":
    list(_roles(sys.argv[1:]))
