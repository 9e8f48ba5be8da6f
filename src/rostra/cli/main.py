"""The command `rostra`: finds the sub-command that is wanted and imports nothing of the others.

A group of sub-commands is a module of this folder with an `app`.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from rostra.errors import Problem

ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="Configuration file. Without one: the evaluation server.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_GROUPS = {
    "config": "Check, show and explain the configuration.",
    "environments": "List what is installed for content, build ahead of time, remove what nobody needs.",
    "runtimes": "The interpreters of this server: list, match, audit, rehearse a retirement.",
    "upgrade": "Say what this release would refuse or change, before it is started.",
    "users": "Make accounts and sign-in links.",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line. A `Problem` becomes its sentence and hint on stderr and exit status 1."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        build(next((word for word in words if not word.startswith("-")), ""))(words)
    except Problem as problem:
        report(problem)
        sys.exit(1)


def report(problem: Problem) -> None:
    """Write ``problem`` for a person: what is wrong, then what to do."""
    print(f"rostra: {problem.message}" if "\n" not in problem.message else problem.message, file=sys.stderr)
    if problem.hint:
        print(problem.hint, file=sys.stderr)


def build(wanted: str) -> typer.Typer:
    """Return the command line with ``wanted`` ready to run and every other sub-command as a line of help."""
    app = typer.Typer(
        help="A self-hosted server for what people make with Python.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_options)
    app.command()(serve)
    app.command()(reload)
    app.command()(backup)
    app.command()(restore)
    for name, help_line in _GROUPS.items():
        if name == wanted:
            app.add_typer(importlib.import_module(f"rostra.cli.{name}").app, name=name, help=help_line)
        else:
            app.command(name, help=help_line)(_stub)
    return app


def serve(config: ConfigFile = None) -> None:
    """Start the server and run until told to stop."""
    from rostra.cli.serve import serve as run

    raise typer.Exit(run(config))


def reload(config: ConfigFile = None) -> None:
    """Ask the running server to read its configuration again."""
    from rostra.cli.serve import reload as run

    run(config)


def backup(
    file: Annotated[
        Path | None, typer.Argument(help="The file; it must not be there yet. Without: one named after the time, here.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The same, as an option.")] = None,
    without_environments: Annotated[
        bool, typer.Option("--without-environments", help="Smaller; packages are installed again when needed.")
    ] = False,
    files_only: Annotated[bool, typer.Option("--files-only", help="Leave the database out (PostgreSQL).")] = False,
    config: ConfigFile = None,
) -> None:
    """Write the whole data folder to one file, while the server runs or not."""
    from rostra.cli.backup import backup as run

    if file and output:
        raise typer.BadParameter("name the file once, as an argument or with --output")
    run(config, file or output, environments=not without_environments, files_only=files_only)


def restore(
    file: Annotated[Path, typer.Argument(help="What `rostra backup` wrote.")],
    to: Annotated[Path | None, typer.Option("--to", metavar="DIR", help="Another data folder.")] = None,
    config: ConfigFile = None,
) -> None:
    """Make an empty data folder what a backup holds."""
    from rostra.cli.backup import restore as run

    run(file, config, to)


def _options(version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False) -> None:
    if version:
        from importlib.metadata import version as version_of

        print(f"rostra {version_of('rostra')}")
        raise typer.Exit


def _stub() -> None:
    """Stand in for a sub-command that was not asked for."""
