"""Start a Rostra in this checkout and publish the samples to it with the unmodified publishing client.

``--once`` ends after the samples were opened, for tests; otherwise the server runs until Ctrl-C.
Everything is kept in ``.demo/``; remove the folder to begin again.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent


def main() -> int:
    options = arguments()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    config, url = configure(folder, options.port)
    with server(folder, config, url) as process:
        key = sign_up(folder, url)
        versions = installed(config)
        samples = [sample for sample in chosen(options.samples) if runs_here(sample, config)]
        say(f"Python on this machine: {', '.join(versions)}")
        opened = [publish(sample, folder, url, key, versions, number) for number, sample in enumerate(samples)]
        for line in opened:
            say(line)
        link = run([BIN / "rostra", "users", "sign-in-link", "--config", config]).strip()
        say(f"\nThe samples above can be opened by anyone on this machine. The dashboard is {url}/connect/")
        say(f"Sign in with this link, which works once: {link}")
        if options.once:
            return 0 if all(line.startswith("ok") for line in opened) else 1
        say("Press Ctrl-C to stop the server.")
        with contextlib.suppress(KeyboardInterrupt):
            process.wait()
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / ".demo")
    parser.add_argument("--port", type=int, default=3939)
    parser.add_argument("--once", action="store_true", help="end when the samples have been opened")
    parser.add_argument("samples", nargs="*", help="names of folders in samples/; all when none is given")
    return parser.parse_args()


def chosen(names: list[str]) -> list[Path]:
    everything = sorted(path.parent for path in (ROOT / "samples").glob("*/sample.json"))
    return [path for path in everything if not names or path.name in names]


def runs_here(sample: Path, config: Path) -> bool:
    """Return whether the server has what the sample needs beside Python."""
    needs = json.loads((sample / "sample.json").read_text()).get("needs")
    return needs is None or bool(installed(config, needs))


def configure(folder: Path, port: int) -> tuple[Path, str]:
    config = folder / "rostra.gcfg"
    if config.exists():
        address = next(line.split("=", 1)[1].strip() for line in config.read_text().splitlines() if "Address" in line)
        return config, address
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            port = 0
    if port == 0:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
    secret = base64.b64encode(secrets.token_bytes(32)).decode()
    (folder / "secret").write_text(secret)
    (folder / "secret").chmod(0o600)
    url = f"http://127.0.0.1:{port}"
    config.write_text(
        f"; Written by `make demo`. No Executable lines: Rostra uses the interpreters it finds.\n"
        f"[Server]\nDataDir = {folder / 'data'}\nAddress = {url}\n[HTTP]\nListen = 127.0.0.1:{port}\n"
        f"[Bootstrap]\nEnabled = true\nSecretKeyFile = {folder / 'secret'}\n[Python]\nEnabled = true\n"
        + ("[R]\nEnabled = true\n" if shutil.which("R") else "")
    )
    return config, url


@contextlib.contextmanager
def server(folder: Path, config: Path, url: str) -> Iterator[subprocess.Popen[bytes]]:
    say(f"Starting Rostra at {url} (its log: {folder / 'server.log'})")
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [BIN / "rostra", "serve", "--config", config], stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_until_ready(process, url, folder / "server.log")
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url + "/__ping__", timeout=5):
            return
        time.sleep(0.1)
    sys.exit(f"The server did not start; the end of its log:\n{log.read_text()[-2000:]}")


def sign_up(folder: Path, url: str) -> str:
    kept = folder / "key"
    if not kept.exists():
        key = client(folder, "bootstrap", "-s", url, "--jwt-keypath", folder / "secret", "--raw").strip()
        kept.touch(mode=0o600)
        kept.write_text(key)
    key = kept.read_text()
    client(folder, "add", "-n", "rostra", "-s", url, "-k", key)
    return key


def installed(config: Path, language: str = "Python") -> list[str]:
    answer = json.loads(run([BIN / "rostra", "runtimes", "list", "--config", config, "--json"]))
    rows = answer["runtimes"] if isinstance(answer, dict) else answer
    return [row["version"] for row in rows if row["usable"] and row.get("language", "Python") == language]


def publish(sample: Path, folder: Path, url: str, key: str, versions: list[str], number: int) -> str:
    """Publish one sample, on another Python each time, and open it as a visitor would."""
    told = json.loads((sample / "sample.json").read_text())
    work = folder / "work" / sample.name
    shutil.copytree(sample, work, dirs_exist_ok=True)
    if told["kind"] != "static":
        choice = [v for v in versions if v.rpartition(".")[0] in told.get("pythons", [v.rpartition(".")[0]])]
        (work / ".python-version").write_text("~=" + choice[number % len(choice)].rpartition(".")[0] + ".0\n")
    if (manifest := work / "manifest.json").exists():  # published as it stands: the version is asked for in it
        listed = json.loads(manifest.read_text())
        listed["python"]["version"] = versions[number % len(versions)]
        manifest.write_text(json.dumps(listed))
        (work / ".python-version").unlink(missing_ok=True)
    started = time.monotonic()
    say(f"Publishing {told['title']} ...")
    first, *rest = told["deploy"]
    done = client(folder, "deploy", first, "-n", "rostra", "--title", told["title"], *rest, cwd=work, check=False)
    if done.startswith("failed"):
        return f"FAILED {told['title']}\n{done}"
    guid = re.findall(r"#/apps/([0-9a-f-]{36})", done)[-1]
    ask(url, key, f"/__api__/v1/content/{guid}", "PATCH", {"access_type": "all"})
    status = ask(url, None, f"/content/{guid}/", "GET")
    mark = "ok    " if status == 200 else f"ANSWERED {status}"
    return f"{mark} {told['title']:<28} {url}/content/{guid}/  ({time.monotonic() - started:.1f} s)"


def ask(url: str, key: str | None, path: str, method: str, body: object = None) -> int:
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url + path, data=data, method=method)
    if key:
        request.add_header("Authorization", f"Key {key}")
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def client(folder: Path, *words: str | Path, cwd: Path | None = None, check: bool = True) -> str:
    home = folder / "home"
    home.mkdir(exist_ok=True)
    environ = {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "RSCONNECT_DISABLE_VERSION_CHECK": "1"}
    return run([BIN / "rsconnect", *words], environ=environ, cwd=cwd, check=check)


def run(
    words: list[str | Path], *, environ: dict[str, str] | None = None, cwd: Path | None = None, check: bool = True
) -> str:
    done = subprocess.run(words, env=environ, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return done.stdout + (done.stderr if environ else "")
    if check:
        sys.exit(f"{' '.join(map(str, words))} failed:\n{done.stdout}{done.stderr}")
    return f"failed:\n{done.stdout}{done.stderr}"


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
