"""`docs/cli.md`, made from the commands."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from inspect import cleandoc
from typing import Any, Final

import click

from lightningstor.cli.commands import root
from lightningstor.cli.remote import REMOTE_OPTIONS, WHO
from lightningstor.cli.server import server_parser

__all__ = ["cli_page"]

_HEAD: Final = """\
# Command line

<!-- Made from lightningstor/cli by `make docs`; don't edit. -->

`lightningstor-server` runs a daemon; `lightningstor` looks after one. `--help` works on every level, and
`eval "$(lightningstor completion bash)"` makes a shell complete commands (zsh and fish too).

Exit codes: 0 success, 1 the command failed, 2 it was called or configured wrongly. Errors are on standard error.
"""
_REMOTE: Final = f"""\
## Commands that ask a daemon

They ask the [admin API](admin-api.md) of a running daemon, this machine's unless `--url` says otherwise.
{WHO}

People get tables; `--json` prints the API's own answer, whose fields the admin API's page names: scripts can rely on
them. All pages of a listing are fetched. Of commands that delete, `--json` prints `{{}}`.

Options of every such command:
"""


def cli_page() -> str:
    """The page."""
    lines = [_HEAD, *_server()]
    remote = [(name, command) for name, command in _leaves(root) if _asks(command)]
    local = [(name, command) for name, command in _leaves(root) if not _asks(command)]
    lines += ["## Commands of this machine", ""]
    for name, command in local:
        lines += _command(name, command)
    lines += [_REMOTE]
    common = [param for param in remote[0][1].params if param.name in REMOTE_OPTIONS]
    lines += [*_options(common), ""]
    for name, command in remote:
        lines += _command(name, command)
    return "\n".join(lines).rstrip() + "\n"


def _server() -> Iterator[str]:
    parser = server_parser()
    yield "## lightningstor-server"
    yield ""
    yield f"{parser.description} {parser.epilog}"
    yield ""
    yield "| Option | Meaning |"
    yield "|---|---|"
    for action in parser._actions:
        named = ", ".join(f"`{flag}`" for flag in action.option_strings)
        takes = f" {action.metavar}" if action.metavar and not isinstance(action, argparse._StoreTrueAction) else ""
        yield f"| {named}{takes} | {_cell(action.help or '')} |"
    yield ""


def _leaves(command: click.Command, names: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for name, inner in sorted(command.commands.items()):
            yield from _leaves(inner, (*names, name))
    else:
        yield " ".join(names), command


def _asks(command: click.Command) -> bool:
    return any(param.name == "as_json" for param in command.params)


def _command(name: str, command: click.Command) -> Iterator[str]:
    own = [param for param in command.params if not (_asks(command) and param.name in REMOTE_OPTIONS)]
    arguments = [param.make_metavar(click.Context(command)) for param in own if isinstance(param, click.Argument)]
    options = [param for param in own if isinstance(param, click.Option)]
    yield f"### lightningstor {name}"
    yield ""
    yield f"    lightningstor {' '.join([name, *(['[OPTIONS]'] if options else []), *arguments])}"
    yield ""
    yield cleandoc(command.help or "").replace(WHO, "").strip()
    yield ""
    if options:
        yield from _options(options)
        yield ""


def _options(options: list[Any]) -> Iterator[str]:
    yield "| Option | Meaning |"
    yield "|---|---|"
    for option in options:
        flags = ", ".join(f"`{flag}`" for flag in (*option.opts, *option.secondary_opts))
        takes = "" if option.is_flag else f" {option.make_metavar(click.Context(root))}"
        default = f" [default: {option.default}]" if option.show_default else ""
        yield f"| {flags}{takes.replace('|', chr(92) + '|')} | {_cell((option.help or '') + default)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
