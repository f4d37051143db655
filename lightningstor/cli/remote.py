"""Commands that ask a running daemon: where it is, who asks, and the admin API's answers."""

from __future__ import annotations

import functools
import hashlib
import http.client
import json
import os
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Concatenate, ParamSpec
from urllib.parse import quote, urlsplit

import click
from attrs import frozen

from lightningstor.cli.output import Output
from lightningstor.config import DEV_ACCESS_KEY, DEV_SECRET_KEY, Config, load
from lightningstor.ports import SystemClock
from lightningstor.s3.wire.signer import Signer, sign_headers

__all__ = ["REMOTE_OPTIONS", "WHO", "AdminApi", "remote", "segment"]

P = ParamSpec("P")

REMOTE_OPTIONS = ("config_file", "url", "ca_file", "as_json")
"""The parameters that every command has which asks a daemon."""

_TIMEOUT_S = 60
_PREFIX = "/api/v1"
_KEY_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
WHO = (
    "Who asks: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; without them root, if its credentials can be read on this"
    " machine."
)


@frozen
class AdminApi:
    """The admin API of one daemon.

    Args:
        url: `http://host:port` or `https://…`.
        signer: signs the requests.
        ca_file: what vouches for the daemon's certificate; None: what vouches for the web's.
    """

    url: str
    signer: Signer
    ca_file: Path | None = None

    def __call__(
        self, method: str, path: str, body: Mapping[str, object] | None = None, query: Mapping[str, str] | None = None
    ) -> Any:
        """Ask; the answer's JSON, None for an empty one.

        Args:
            path: below the API's prefix, encoded; see `segment`.

        Raises:
            click.ClickException: what the daemon said, or why it cannot be asked.
        """
        content = b"" if body is None else json.dumps(body).encode()
        encoded = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in (query or {}).items())
        raw_path = _PREFIX + path
        parts = urlsplit(self.url)
        headers = sign_headers(
            self.signer,
            method,
            raw_path.encode(),
            encoded.encode(),
            {b"host": parts.netloc.encode()},
            SystemClock().now_ms(),
            hashlib.sha256(content).hexdigest(),
        )
        target = raw_path + (f"?{encoded}" if encoded else "")
        connection = self._connection(parts.hostname or "", parts.port, parts.scheme == "https")
        try:
            connection.request(
                method, target, content or None, {name.decode(): value.decode() for name, value in headers.items()}
            )
            answer = connection.getresponse()
            return _told(answer.status, answer.read())
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
            raise click.ClickException(f"no answer from {self.url}: {reason}") from error
        finally:
            connection.close()

    def pages(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """All pages of a listing as one answer: `{"items": […]}`."""
        asked = dict(query or {})
        items: list[Any] = []
        while True:
            page = self("GET", path, query=asked)
            items += page["items"]
            if not page.get("next"):
                return {"items": items}
            asked["after"] = page["next"]
            if page.get("next_upload"):
                asked["after_upload"] = page["next_upload"]

    def _connection(self, host: str, port: int | None, secure: bool) -> http.client.HTTPConnection:
        if not secure:
            return http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
        context = ssl.create_default_context(cafile=None if self.ca_file is None else str(self.ca_file))
        return http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=context)


def _told(status: int, content: bytes) -> Any:
    try:
        answer = json.loads(content) if content else None
    except ValueError:
        raise click.ClickException(f"the answer ({status}) is no JSON; is that the admin port?") from None
    if status < 400:
        return answer
    problem = (answer or {}).get("error", {})
    raise click.ClickException(f"{problem.get('message', 'the request failed')} ({problem.get('code', status)})")


def segment(name: str) -> str:
    """A name as one segment of a path."""
    return quote(name, safe="")


def remote(
    command: Callable[Concatenate[AdminApi, Output, P], None],
) -> Callable[..., None]:
    """A command that gets the admin API and an `Output` before its own parameters, and options that say which."""

    @click.option("-c", "--config", "config_file", type=click.Path(path_type=Path, dir_okay=False), help="Config file.")
    @click.option("--url", metavar="URL", help="Where the admin port is; by default on this machine, as configured.")
    @click.option("--ca-file", type=click.Path(path_type=Path, dir_okay=False), help="What vouches for it, PEM.")
    @click.option("--json", "as_json", is_flag=True, help="Print the API's answer as JSON.")
    @functools.wraps(command)
    def wrapped(
        *args: Any,
        config_file: Path | None,
        url: str | None,
        ca_file: Path | None,
        as_json: bool,
        **options: Any,
    ) -> None:
        config = load(config_file=config_file).config
        api = AdminApi(url.rstrip("/") if url else _local_url(config), _signer(config), ca_file)
        command(api, Output(as_json), *args, **options)

    wrapped.__doc__ = f"{command.__doc__}\n\n{WHO}"
    return wrapped


def _local_url(config: Config) -> str:
    address = config.server.admin_addr
    if address is None:
        raise click.ClickException("the admin port is off (server.admin_addr); name another daemon's with --url")
    return f"{'https' if config.admin_tls else 'http'}://{address.local}"


def _signer(config: Config) -> Signer:
    given = tuple(os.environ.get(name) for name in _KEY_VARIABLES)
    if given[0] and given[1]:
        return Signer(given[0], given[1].encode(), config.s3.region)
    if any(given):
        missing = _KEY_VARIABLES[0 if not given[0] else 1]
        raise click.UsageError(f"{missing} is not set")
    key, secret = _root(config)
    return Signer(key, secret.encode(), config.s3.region)


def _root(config: Config) -> tuple[str, str]:
    """Root's credentials, as a daemon of this configuration has them."""
    if config.server.dev:
        return DEV_ACCESS_KEY, DEV_SECRET_KEY
    iam = config.iam
    if iam.root_access_key is not None and iam.root_secret_key is not None:
        return iam.root_access_key, iam.root_secret_key
    from lightningstor.daemon.datadir import DataDirectory
    from lightningstor.daemon.storage import data_root

    directory = DataDirectory(data_root(config))
    try:
        stored = directory.read_root_credentials()
    except OSError as error:
        raise click.UsageError(f"cannot read {directory.credentials_file} ({error.strerror}). {WHO}") from error
    if stored is None:
        raise click.UsageError(f"there are no credentials in {directory.root}. {WHO}")
    return stored.access_key, stored.secret_key
