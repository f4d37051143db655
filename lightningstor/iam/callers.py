"""Who asks, for the protocols that do not sign each request: gRPC and the admin API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from lightningstor.iam.principal import Principal

__all__ = ["Callers"]


class Callers(Protocol):
    """Finds the principal that a credential stands for. Synchronous and in memory: it is asked for every call.

    Each method raises `Unauthenticated` where the credential is unknown, malformed, expired or revoked; which of
    these it was is for the log, not for the caller.
    """

    def by_bearer(self, token: str) -> Principal:
        """The principal of a bearer token, given without the word "Bearer".

        Raises:
            Unauthenticated
        """
        ...

    def by_api_key(self, key: str) -> Principal:
        """The principal of an API key.

        Raises:
            Unauthenticated
        """
        ...

    def by_certificate(self, names: Sequence[str]) -> Principal:
        """The principal that a client certificate names; the certificate has been verified before.

        Args:
            names: its subject's common name and its subject alternative names.

        Raises:
            Unauthenticated: no principal goes by any of them, or more than one does.
        """
        ...
