"""The authorizer that asks Aegis, the platform's IAM service, over gRPC (protos/aegis/v1/iam.proto; SPEC.md §7.3).

It fails closed: without an answer within the deadline nothing is allowed, and the request ends as unavailable, not as
denied, so that clients try again. Decisions are kept for a bounded time, in a bounded number; failures never are. A
revocation is thus felt at the latest when the decision that it contradicts has aged.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import trio
from attrs import define, field, frozen

from lightningstor.client.channel import Channel, Method
from lightningstor.client.errors import RpcError, Unauthenticated
from lightningstor.errors import AccessDenied, AuthorizerUnavailable
from lightningstor.iam.authorize import Resource
from lightningstor.iam.conditions import NO_CONTEXT, Context, UnknownKey
from lightningstor.iam.principal import Principal
from lightningstor.ports import Blocking
from lightningstor.rpc.gen.aegis_iam_pb2 import (
    AuthorizeRequest,
    AuthorizeResponse,
    PrincipalRef,
    RequestContext,
    ResourceRef,
)

__all__ = ["AUTHORIZE", "CONTEXT_KEYS", "AegisAuthorizer", "AegisLimits", "Decisions", "ServiceToken"]

logger: Final = logging.getLogger("lightningstor.iam")

AUTHORIZE: Final[Method[AuthorizeRequest, AuthorizeResponse]] = Method(
    "aegis.v1.IamService/Authorize", AuthorizeResponse, lambda _: True
)

CONTEXT_KEYS: Final = (
    "aws:sourceip",
    "aws:securetransport",
    "aws:referer",
    "aws:useragent",
    "s3:prefix",
    "s3:delimiter",
    "s3:max-keys",
    "s3:versionid",
    "s3:authtype",
    "s3:signatureversion",
    "s3:x-amz-acl",
    "s3:x-amz-copy-source",
    "s3:x-amz-metadata-directive",
    "s3:x-amz-storage-class",
    "s3:x-amz-content-sha256",
)
"""The condition keys that Aegis is told of. Not the time: Aegis has a clock."""


@frozen
class AegisLimits:
    """How Aegis is asked.

    Args:
        deadline_s: for a decision, repetitions included, in seconds.
        cache_s: how long a decision is kept, in seconds; 0: not at all.
        cache_entries: how many are kept at most.
    """

    deadline_s: float = 2.0
    cache_s: float = 5.0
    cache_entries: int = 10_000


class ServiceToken:
    """The token of the service account: read from a file, and read again when Aegis does not take it any more.

    Args:
        path: holds the token and nothing else; None: there is none (the client certificate says who asks).
        keep_secret: is told every token, to keep it out of logs.
    """

    def __init__(self, path: Path | None, blocking: Blocking, keep_secret: Callable[[str], None]) -> None:
        self._path = path
        self._blocking = blocking
        self._keep_secret = keep_secret
        self.value = ""

    async def read(self) -> bool:
        """Read the file; whether the token is another one than before.

        Raises:
            OSError
            ValueError: the file holds no token.
        """
        if self._path is None:
            return False
        before, self.value = self.value, await self._blocking.run(_token_in, self._path)
        self._keep_secret(self.value)
        return self.value != before


def _token_in(path: Path) -> str:
    token = path.read_text(encoding="ascii").strip()
    if not token or not token.isprintable() or " " in token:
        raise ValueError(f"{path} does not hold a token: one word of ASCII")
    return token


@define
class Decisions:
    """How questions were answered, for metrics; `cached`: without asking."""

    allowed: int = 0
    denied: int = 0
    cached: int = 0
    failed: int = 0


class AegisAuthorizer:
    """See above; an `Authorizer`.

    Args:
        channel: to Aegis, with the metadata that `metadata_of` makes.
        now: seconds of a clock that never goes back.
    """

    def __init__(
        self, channel: Channel, token: ServiceToken, limits: AegisLimits, now: Callable[[], float] = trio.current_time
    ) -> None:
        self.decisions = Decisions()
        self._channel = channel
        self._token = token
        self._limits = limits
        self._now = now
        self._cache = _Cache(limits.cache_entries)

    async def authorize(
        self, principal: Principal, action: str, resource: Resource, context: Context = NO_CONTEXT
    ) -> None:
        """See `Authorizer.authorize`.

        Raises:
            AccessDenied: Aegis says no.
            AuthorizerUnavailable: it says nothing.
        """
        if principal.admin:
            return
        request = _question(principal, action, resource, context)
        # The whole question, so that no two are taken for one; maps in a fixed order.
        question = request.SerializeToString(deterministic=True)
        answer = self._cache.get(question, self._now())
        if answer is None:
            answer = await self._ask(request)
            if self._limits.cache_s:
                self._cache.put(question, answer, self._now() + self._limits.cache_s)
        else:
            self.decisions.cached += 1
        if not answer.allowed:
            raise AccessDenied(f"Aegis denies {principal.id} {action} on {resource.path}: {answer.reason}")

    def concerns(self, principal: Principal, resource: Resource) -> bool:
        """See `Authorizer.concerns`: only Aegis knows."""
        return True

    async def _ask(self, request: AuthorizeRequest) -> AuthorizeResponse:
        until = self._now() + self._limits.deadline_s
        try:
            try:
                answer = await self._channel.unary(AUTHORIZE, request, timeout_s=self._limits.deadline_s)
            except Unauthenticated:
                # The token may have been replaced since; platforms do that while services run.
                if not await self._token.read():
                    raise
                answer = await self._channel.unary(AUTHORIZE, request, timeout_s=max(0.0, until - self._now()))
        except (RpcError, OSError, ValueError) as error:
            self.decisions.failed += 1
            reason = f"Aegis gave no answer whether {request.principal.id} may {request.action}: {error}"
            logger.error("%s", reason)
            raise AuthorizerUnavailable(reason) from error
        if answer.allowed:
            self.decisions.allowed += 1
        else:
            self.decisions.denied += 1
        return answer


def _question(principal: Principal, action: str, resource: Resource, context: Context) -> AuthorizeRequest:
    bucket, project = resource.bucket or "", resource.project_id or ""
    request = AuthorizeRequest(
        principal=PrincipalRef(id=principal.id, org_id=principal.org_id, project_id=principal.project_id or ""),
        action=action,
        resource=ResourceRef(
            kind=resource.kind,
            id=bucket if resource.key is None else resource.key,
            org_id=resource.org_id,
            project_id=project,
            bucket=bucket,
        ),
    )
    if context is not NO_CONTEXT:
        request.context.CopyFrom(_told(context))
    return request


def metadata_of(service_account: str, token: ServiceToken) -> Callable[[], Mapping[str, str]]:
    """What goes with every question."""

    def metadata() -> dict[str, str]:
        account = {"x-service-account": service_account}
        return account | {"authorization": f"Bearer {token.value}"} if token.value else account

    return metadata


def _told(context: Context) -> RequestContext:
    """What the context knows of the condition keys."""
    told = RequestContext(s3_action=context.s3_action or "")
    for key in CONTEXT_KEYS:
        try:
            value = context.value(key)
        except UnknownKey:
            continue
        if value is None:
            told.absent.append(key)
        else:
            told.values[key] = value
    return told


@define
class _Cache:
    """Answers by question, each until its time. The oldest makes room, which is also the first to age."""

    entries: int
    _answers: dict[bytes, tuple[AuthorizeResponse, float]] = field(factory=dict)

    def get(self, question: bytes, now: float) -> AuthorizeResponse | None:
        found = self._answers.get(question)
        if found is None:
            return None
        if found[1] <= now:
            del self._answers[question]
            return None
        return found[0]

    def put(self, question: bytes, answer: AuthorizeResponse, until: float) -> None:
        self._answers.pop(question, None)
        while len(self._answers) >= self.entries:
            del self._answers[next(iter(self._answers))]
        self._answers[question] = (answer, until)
