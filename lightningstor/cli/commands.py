"""`lightningstor`: commands for whoever looks after a store."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from lightningstor import __version__
from lightningstor.cli import about, buckets, grants, quotas, tenants, users
from lightningstor.cli.fsck import fsck_command
from lightningstor.config import Address, ConfigError, Loaded, check, load

__all__ = ["run"]

config_option = click.option(
    "-c", "--config", "config_file", type=click.Path(path_type=Path, dir_okay=False), help="Config file path."
)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code."""
    try:
        root(args=arguments, prog_name="lightningstor", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.exceptions.Exit as ending:
        return ending.exit_code
    except click.Abort:
        return 1
    except ConfigError as error:
        for problem in error.problems:
            click.echo(f"lightningstor: {problem}", err=True)
        return 2
    return 0


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="lightningstor", message="%(prog)s %(version)s")
def root() -> None:
    """Look after a LightningStor store. `lightningstor-server` runs the daemon."""


@root.group()
def config() -> None:
    """Look at the configuration."""


@config.command("show")
@config_option
@click.option("--changed", is_flag=True, help="Only options that somebody set.")
def config_show(config_file: Path | None, changed: bool) -> None:
    """Print the configuration in effect as TOML, and where each option comes from. Secrets are left out."""
    from lightningstor.config.reference import show

    click.echo(show(load(config_file=config_file), every=not changed), nl=False)


@config.command("check")
@config_option
def config_check(config_file: Path | None) -> None:
    """Say whether a daemon could start with the configuration, or all that is wrong with it."""
    loaded = load(config_file=config_file)
    check(loaded)
    click.echo(f"The configuration is good ({loaded.file or 'no file'}).")


@root.command()
@config_option
@click.option("--addr", metavar="ADDR", help="The daemon's admin address; by default the configured one.")
@click.option(
    "--ready-file", type=click.Path(path_type=Path), help="The daemon's ready file, to find its admin address in."
)
@click.option("--live", is_flag=True, help="Ask only whether the process answers, not whether it is ready.")
@click.option("--timeout", "timeout_s", default=5.0, show_default=True, help="How long to wait, in seconds.")
def health(config_file: Path | None, addr: str | None, ready_file: Path | None, live: bool, timeout_s: float) -> None:
    """Ask the daemon on this machine whether it is well; exit code 0 if it is. Needs no curl."""
    address = _admin_address(config_file, addr, ready_file)
    path = "/health" if live else "/ready"
    connection = _connection(address, timeout_s, secure=load(config_file=config_file).config.admin_tls)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        answer = json.loads(response.read(65536))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise click.ClickException(f"no answer from {address}{path}: {str(error) or type(error).__name__}") from error
    finally:
        connection.close()
    reasons = [f"{part}: {reason}" for part, reason in answer.get("reasons", {}).items()]
    if response.status != 200:
        raise click.ClickException("; ".join([f"{address} is {answer.get('status', response.status)}", *reasons]))
    click.echo(f"{address} is {answer['status']}")


def _connection(address: Address, timeout_s: float, *, secure: bool) -> http.client.HTTPConnection:
    if not secure:
        return http.client.HTTPConnection(address.host, address.port, timeout=timeout_s)
    # This machine's address stands in hardly any certificate, and the question holds no secret.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(address.host, address.port, timeout=timeout_s, context=context)


def _admin_address(config_file: Path | None, addr: str | None, ready_file: Path | None) -> Address:
    text = addr
    if text is None and ready_file is not None:
        try:
            text = json.loads(ready_file.read_text("utf-8"))["admin"]
        except (OSError, ValueError, KeyError) as error:
            raise click.ClickException(f"cannot read an admin address from {ready_file}: {error}") from error
    if text is not None:
        try:
            return Address.parse(text).local
        except ValueError:
            raise click.BadParameter(f"{text!r} is no address", param_hint="--addr") from None
    configured = load(config_file=config_file).config.server.admin_addr
    if configured is None:
        raise click.ClickException("the admin port is off (server.admin_addr)")
    return configured.local


root.add_command(fsck_command)


@root.group("root")
def root_credentials() -> None:
    """The administrator's credentials."""


@root_credentials.command("reset")
@config_option
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), help="Data directory.")
def root_reset(config_file: Path | None, data_dir: Path | None) -> None:
    """Make new root credentials and forget the old ones. The daemon must not be running."""
    from lightningstor.daemon.datadir import (
        DataDirectoryUnusable,
        default_root,
        new_root_credentials,
        open_data_directory,
    )
    from lightningstor.errors import StoreError
    from lightningstor.ports import SystemEntropy

    loaded = load(config_file=config_file)
    place = data_dir or loaded.config.server.data_dir or default_root(os.environ)
    if not place.is_dir():
        raise click.ClickException(f"there is no data directory {place}; name it with --data-dir")
    try:
        with open_data_directory(place) as directory:
            directory.write_root_credentials(new_root_credentials(SystemEntropy()))
    except (DataDirectoryUnusable, StoreError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"New root credentials are in {directory.credentials_file}")
    _warn_if_overridden(loaded)


def _warn_if_overridden(loaded: Loaded) -> None:
    if loaded.config.iam.root_access_key is not None:
        origin = loaded.origins["iam.root_access_key"]
        click.echo(f"Note: root credentials set by {origin} go before them.", err=True)


for command in (
    *(about.server, about.whoami, about.jobs, about.completion),
    *(tenants.org, tenants.project, tenants.group),
    *(users.user, users.key, users.api_key, users.token),
    *(grants.grant, quotas.quota, buckets.bucket, buckets.upload),
):
    root.add_command(command)

if __name__ == "__main__":
    sys.exit(run())
