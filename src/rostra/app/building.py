"""Runs installers in the sandbox, in the terms of the environments room."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from rostra.environments.errors import ShellFailed
from rostra.execution.launcher import LaunchFailed
from rostra.execution.shell import SandboxedShell

POLITELY = ("nice", "-n", "10")
"""What a build is started with: content that people use goes first when the processors are busy."""


class Building:
    """A `BuildShell` over a `SandboxedShell`: the two rooms do not know each other."""

    def __init__(self, shell: SandboxedShell) -> None:
        self._shell = shell

    async def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        readable: Sequence[Path],
        writable: Sequence[Path],
        network: bool,
        timeout: timedelta,
        on_line: Callable[[str], None],
    ) -> int:
        """See `BuildShell.run`.

        Raises:
            ShellFailed: the command could not be started.
            TimeoutError: it took too long.
        """
        try:
            return await self._shell.run(
                (*POLITELY, *argv),
                env=env,
                cwd=cwd,
                readable=readable,
                writable=writable,
                network=network,
                timeout=timeout,
                on_line=on_line,
            )
        except LaunchFailed as why:
            raise ShellFailed(why.message, hint=why.hint) from why
