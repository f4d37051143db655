"""Who calls, and may they? The same authorizer and the same rows of the operation table as for S3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import frozen

from lightningstor.errors import (
    AccessDenied,
    CurrentIsDeleteMarker,
    InvalidArgument,
    NoSuchKey,
    NoSuchVersion,
    Unauthenticated,
)
from lightningstor.iam.api_keys import id_in
from lightningstor.iam.authorize import Authorizer, Resource
from lightningstor.iam.callers import Callers
from lightningstor.iam.conditions import UnknownKey
from lightningstor.iam.principal import Principal
from lightningstor.model.names import object_key
from lightningstor.model.records import Bucket
from lightningstor.observe.record import Observer
from lightningstor.ports import Clock
from lightningstor.rpc.call import RpcCall
from lightningstor.store.store import Store

__all__ = ["VERSION_ID", "Gate", "OperationRow"]

_ABSENCES: Final = (NoSuchKey, NoSuchVersion, CurrentIsDeleteMarker)
"""The errors that tell that a key has nothing, which only those may learn who may list the bucket."""
_LIST: Final = "ListObjects"
VERSION_ID: Final = "s3:versionid"
_NO_FACTS: Final[Mapping[str, str | None]] = {}


@frozen
class OperationRow:
    """What the operation table says of an operation to those who authorise it.

    Args:
        action: ours, `lightningstor:objects:get`. s3_action: S3's name for it, `s3:GetObject`.
        version_s3_action: S3's name where the call names a version, if that is another one.
    """

    action: str
    s3_action: str
    version_s3_action: str | None = None


class _CallContext:
    """What conditions may ask of a call; as over S3 (`lightningstor.s3.context`), where gRPC has it.

    Args:
        facts: condition keys that the call's message has the values of.
    """

    __slots__ = ("_call", "_clock", "_facts", "_row")

    def __init__(self, call: RpcCall, row: OperationRow, clock: Clock, facts: Mapping[str, str | None]) -> None:
        self._call = call
        self._row = row
        self._clock = clock
        self._facts = facts

    @property
    def s3_action(self) -> str | None:
        named = self._row.version_s3_action if self._facts.get(VERSION_ID) else None
        return named or self._row.s3_action

    def value(self, key: str) -> str | None:
        """The value of a condition key. Raises UnknownKey."""
        call = self._call
        if key in self._facts or key == VERSION_ID:
            return self._facts.get(key)
        if key == "aws:sourceip":
            return call.peer.rpartition(":")[0].strip("[]")
        if key == "aws:securetransport":
            return "true" if call.encrypted else "false"
        if key == "aws:useragent":
            return call.metadata.get("user-agent")
        if key in ("aws:currenttime", "aws:epochtime"):
            return str(self._clock.now_ms() // 1000)
        raise UnknownKey(key)


@frozen
class Gate:
    """Stands before ObjectService and BucketService.

    Args:
        store: where the buckets are.
        callers: finds principals. authorizer: says who may do what.
        operations: the rows of the operation table, by name.
        clock: the wall's.
        observer: whose word is awaited while the audit log takes nothing.
    """

    store: Store
    callers: Callers
    authorizer: Authorizer
    operations: Mapping[str, OperationRow]
    clock: Clock
    observer: Observer

    # As the dispatcher's guard

    async def admit(self, call: RpcCall, operation: str) -> None:
        """See `Guard`.

        Raises:
            Unauthenticated, AuditUnavailable
        """
        call.action = self.operations[operation].action
        if self.observer.closed:
            await self.observer.admit()
        self._authenticate(call)

    async def refusal(self, call: RpcCall, error: Exception) -> Exception:
        """See `Guard`: that there is no such object is told only to those who may list the bucket."""
        if isinstance(error, _ABSENCES) and call.found is not None:
            return await self.hide_absence(call, call.found, error)
        return error

    def _authenticate(self, call: RpcCall) -> None:
        """Set the principal: of the bearer token, the API key, or else the client's certificate."""
        authorization, key = call.metadata.get("authorization"), call.metadata.get("x-api-key")
        if authorization is not None and key is not None:
            raise Unauthenticated("both a bearer token and an API key")
        if authorization is not None:
            scheme, _, token = authorization.partition(" ")
            if scheme.lower() != "bearer":
                raise Unauthenticated("the authorization metadata has another scheme than Bearer")
            call.principal, call.authentication = self.callers.by_bearer(token.strip()), "bearer"
        elif key is not None:
            call.access_key = id_in(key)
            call.principal, call.authentication = self.callers.by_api_key(key), "api-key"
        elif call.certificate_names:
            call.principal, call.authentication = self.callers.by_certificate(call.certificate_names), "certificate"
        else:
            raise Unauthenticated("no credentials")

    # For the services

    def principal(self, call: RpcCall) -> Principal:
        """Who calls; `admit` has found out."""
        assert call.principal is not None
        return call.principal

    async def enter(
        self,
        call: RpcCall,
        bucket: str,
        key: str | None = None,
        *,
        operation: str | None = None,
        facts: Mapping[str, str | None] = _NO_FACTS,
    ) -> Bucket:
        """The bucket that the call is about, which the caller may use so.

        Args:
            key: of the object that it is about, if it is about one.
            operation: another one than the call's own, that is done as well.
            facts: for conditions of statements, by condition key.

        Raises:
            InvalidArgument, InvalidKey, KeyTooLong, NoSuchBucket, AccessDenied
        """
        if operation is None:
            call.bucket, call.key = bucket, key
        if key is not None:
            object_key(key, limit=self.store.limits.max_key_bytes)
        if not bucket:
            raise InvalidArgument("The call names no bucket", "bucket", "")
        named, found = await self._find(call, bucket)
        resource = Resource(found.org_id, found.project_id, bucket, key)
        await self.authorise(call, operation or call.operation, resource, facts)
        if operation is None:
            call.found, call.named = found, named
        return found

    async def _find(self, call: RpcCall, bucket: str) -> tuple[str, Bucket]:
        """The bucket that the caller calls so, and its name as the store takes it."""
        principal, buckets = self.principal(call), self.store.buckets
        named = await buckets.resolve(bucket, principal.org_id, principal.project_id)
        return named, await buckets.get(named)

    async def enter_some(self, call: RpcCall, bucket: str) -> Bucket:
        """The bucket of a call that names several objects, each of which is authorised by itself.

        Raises:
            InvalidArgument, NoSuchBucket; AccessDenied: nothing in it can be allowed to the caller.
        """
        call.bucket = bucket
        if not bucket:
            raise InvalidArgument("The call names no bucket", "bucket", "")
        named, found = await self._find(call, bucket)
        principal = self.principal(call)
        if not self.authorizer.concerns(principal, Resource(found.org_id, found.project_id, bucket)):
            raise AccessDenied(f"nothing in {bucket} is open to {principal.id}")
        call.found, call.named = found, named
        return found

    async def enter_scope(self, call: RpcCall, org_id: str, project_id: str | None, bucket: str | None = None) -> None:
        """Whether the caller may do what concerns no bucket that exists: list buckets, or make one.

        Raises:
            AccessDenied
        """
        call.bucket = bucket
        await self.authorise(call, call.operation, Resource(org_id, project_id, bucket))

    async def authorise(
        self, call: RpcCall, operation: str, resource: Resource, facts: Mapping[str, str | None] = _NO_FACTS
    ) -> None:
        """Whether the caller may do that operation to that resource.

        Raises:
            AccessDenied
        """
        principal = self.principal(call)
        if not principal.admin:
            row = self.operations[operation]
            context = _CallContext(call, row, self.clock, facts)
            await self.authorizer.authorize(principal, row.action, resource, context)

    async def hide_absence(self, call: RpcCall, bucket: Bucket, absence: Exception) -> Exception:
        """The error to answer where there is no such object: `absence` itself to those who may list the bucket."""
        try:
            await self.authorise(call, _LIST, Resource(bucket.org_id, bucket.project_id, bucket.name))
        except AccessDenied as denied:
            return denied
        return absence
