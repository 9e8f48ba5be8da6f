"""Changes the configuration of a running server, as an administrator does with an editor."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from support.server import BIN, Server


def rostra(server: Server, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the command line for this server's configuration."""
    done = subprocess.run(
        [BIN / "rostra", *words, "--config", server.config], capture_output=True, text=True, timeout=300, check=False
    )
    assert not check or done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done


def offer(server: Server, pythons: Sequence[Path], *lines: str, reload: bool = True) -> None:
    """Let [Python] name exactly these interpreters and ``lines`` (``Retired = 3.8``)."""
    text = re.sub(r"^(Executable|Deprecated|Retired) = .*\n", "", server.config.read_text(), flags=re.MULTILINE)
    wanted = "".join(f"Executable = {path}\n" for path in pythons) + "".join(f"{line}\n" for line in lines)
    server.config.write_text(text.replace("[Python]\n", f"[Python]\n{wanted}", 1))
    if reload:
        rostra(server, "reload")
