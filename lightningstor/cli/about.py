"""`lightningstor server`, `jobs`, `whoami` and `completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from lightningstor.cli.output import Output
from lightningstor.cli.remote import AdminApi, remote

__all__ = ["completion", "jobs", "server", "whoami"]


@click.command()
@remote
def server(api: AdminApi, output: Output) -> None:
    """Show the daemon's version and whether it is ready."""
    output.record(api("GET", "/server"))


@click.command()
@remote
def jobs(api: AdminApi, output: Output) -> None:
    """List what the daemon does in the background."""
    output.table(api("GET", "/jobs"), ("name", "state", "period_s"), "There are no jobs.")


@click.command()
@remote
def whoami(api: AdminApi, output: Output) -> None:
    """Show whom the credentials stand for."""
    output.record(api("GET", "/whoami"))


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes a shell complete commands: eval "$(lightningstor completion bash)"."""
    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(context.find_root().command, {}, "lightningstor", "_LIGHTNINGSTOR_COMPLETE").source())
