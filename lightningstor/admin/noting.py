"""What a view notes about the request that it answers, and what the authorizer is asked on the way."""

from __future__ import annotations

from attrs import frozen
from quart import request

from lightningstor.admin.request import AdminRequest, request_in
from lightningstor.iam.authorize import Authorizer, Resource
from lightningstor.iam.conditions import NO_CONTEXT, Context
from lightningstor.iam.principal import Principal
from lightningstor.s3.wire.operation import Operation
from lightningstor.s3.wire.operations import BY_NAME

__all__ = ["NotingAuthorizer", "RequestContext", "note_made", "noted", "permit"]


def noted() -> AdminRequest:
    """The request that is being answered."""
    return request_in(request.scope)


def note_made(name: str) -> None:
    """What the request made is called so; its audit line names it."""
    note = noted()
    note.resource = f"{note.resource}/{name}"


@frozen
class RequestContext:
    """What conditions of grants may ask of a request to the admin port.

    Args:
        operation: of S3, that does the same; None: S3 has none.
    """

    request: AdminRequest
    operation: Operation | None = None

    @property
    def s3_action(self) -> str | None:
        """S3's name of the action."""
        return None if self.operation is None else self.operation.iam_action

    def value(self, key: str) -> str | None:
        """The value of a condition key. Raises UnknownKey."""
        return self.request.value(key)


@frozen
class NotingAuthorizer:
    """The daemon's authorizer, as the admin port asks it: with the request as the context, and noted for the audit."""

    inner: Authorizer

    async def authorize(
        self, principal: Principal, action: str, resource: Resource, context: Context = NO_CONTEXT
    ) -> None:
        """See `Authorizer`."""
        note = noted()
        note.action = action
        if resource.bucket is not None:
            note.bucket, note.key, note.resource = resource.bucket, resource.key, resource.path
        asked = RequestContext(note) if context is NO_CONTEXT else context
        if not principal.admin:
            await self.inner.authorize(principal, action, resource, asked)

    def concerns(self, principal: Principal, resource: Resource) -> bool:
        """See `Authorizer`."""
        return self.inner.concerns(principal, resource)


async def permit(authorizer: Authorizer, principal: Principal, operation: str, resource: Resource) -> None:
    """Return if the principal may do what the S3 operation of that name does.

    So a grant that names S3's action holds here as it holds there.

    Raises:
        AccessDenied
    """
    row = BY_NAME[operation]
    await authorizer.authorize(principal, row.action, resource, RequestContext(noted(), row))
