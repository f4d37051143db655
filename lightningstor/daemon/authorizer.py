"""Who decides what a principal may do: this store, or Aegis where the configuration names it."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from lightningstor.config import Config, IamSettings
from lightningstor.iam import Authorizer
from lightningstor.observe.logs import redactor
from lightningstor.observe.metrics import Metrics
from lightningstor.ports import World

if TYPE_CHECKING:
    from lightningstor.client.aegis import Decisions

__all__ = ["AegisUnusable", "deciding"]


class AegisUnusable(Exception):
    """Aegis is to decide and cannot be asked: a file for it cannot be used. The message names it."""


@asynccontextmanager
async def deciding(embedded: Authorizer, config: Config, world: World, metrics: Metrics) -> AsyncIterator[Authorizer]:
    """The authorizer of a daemon, for the time of the block.

    Aegis need not be there yet: it is connected to when something is to be decided, and again when it was lost.

    Args:
        embedded: decides where `[iam] endpoint` is not set.

    Raises:
        AegisUnusable
    """
    iam = config.iam
    if iam.endpoint is None:
        yield embedded
        return
    # Most daemons need nothing of this: it is imported where it is used.
    from lightningstor.client.aegis import AegisAuthorizer, AegisLimits, ServiceToken, metadata_of
    from lightningstor.client.channel import open_channel

    token = ServiceToken(iam.token_path, world.blocking, redactor.register)
    try:
        await token.read()
        context = await world.blocking.run(_context, iam)
    except (OSError, ValueError) as error:
        raise AegisUnusable(f"[iam] {error}") from error
    limits = AegisLimits(iam.decision_deadline_seconds, iam.decision_cache_seconds, iam.decision_cache_entries)
    metadata = metadata_of(iam.service_account, token)
    async with open_channel(iam.endpoint, ssl_context=context, metadata=metadata) as channel:
        authorizer = AegisAuthorizer(channel, token, limits)
        _show(authorizer.decisions, metrics)
        yield authorizer


def _context(iam: IamSettings) -> ssl.SSLContext | None:
    """Raises OSError, which ssl's errors are; the text names the files."""
    from lightningstor.client.target import client_ssl_context

    assert iam.endpoint is not None
    if not iam.endpoint.startswith("https://"):
        return None
    try:
        return client_ssl_context(iam.ca_file, iam.cert_file, iam.key_file)
    except OSError as error:
        files = ", ".join(str(path) for path in (iam.ca_file, iam.cert_file, iam.key_file) if path is not None)
        raise OSError(f"one of {files} cannot be used: {error}") from error


def _show(decisions: Decisions, metrics: Metrics) -> None:
    for result in ("allowed", "denied", "cached", "failed"):
        metrics.counter(
            "aegis_decisions",
            "Questions to Aegis by how they were answered; cached: by an earlier answer; failed: not at all.",
            lambda result=result: getattr(decisions, result),  # type: ignore[misc]
            result=result,
        )
