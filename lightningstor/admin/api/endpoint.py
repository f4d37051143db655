"""What one row of the admin API's table says, and one call of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from typing import Any, Final

import msgspec
from attrs import frozen

from lightningstor.admin.services import AdminServices
from lightningstor.iam.principal import Principal

__all__ = ["PREFIX", "Access", "AdminCall", "Endpoint"]

PREFIX: Final = "/api/v1"
"""Before every path of the table; a change that breaks clients gets a new one."""


class Access(Enum):
    """Who may call an endpoint."""

    ANYONE_KNOWN = "anyone with credentials; the handler asks for what `Endpoint.needs` says"
    ADMIN = "administrators"


@frozen
class AdminCall:
    """One call of an endpoint.

    Args:
        principal: who calls.
        path: the path's variables, decoded.
        query: the endpoint's `query` struct, or None.
        body: the endpoint's `body` struct, or None.
    """

    services: AdminServices
    principal: Principal
    path: Mapping[str, str]
    query: Any
    body: Any


@frozen
class Endpoint:
    """One endpoint. Routes, checks, the OpenAPI document and the command line are made from it.

    Args:
        name: the OpenAPI operationId, in camel case.
        path: below `PREFIX`; variables in braces, each one segment.
        summary: one sentence.
        handler: does it and returns an `answer`, or None where there is no `answer`.
        body, query, answer: msgspec structs; None: there is none.
        status: of success.
        needs: who may call it: an action that the caller must be allowed, as a role or a grant allows it, or words.
            What is for administrators needs no more.
        names: the field of the answer that says what the thing is called that was made; None: nothing was.
    """

    name: str
    method: str
    path: str
    summary: str
    handler: Callable[[AdminCall], Awaitable[msgspec.Struct | None]]
    body: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] | None = None
    answer: type[msgspec.Struct] | None = None
    status: int = 200
    access: Access = Access.ADMIN
    needs: str = "administrators"
    names: str | None = None

    @property
    def tag(self) -> str:
        """The resource that it is about: the path's first segment."""
        return self.path.split("/")[1]
