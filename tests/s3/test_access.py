"""Who may do what: every operation of the table against everybody who must not (PROOF 29)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from attrs import evolve

from lightningstor.chunks.manager import open_chunk_manager
from lightningstor.chunks.memory import MemoryChunkStore
from lightningstor.kv.memory import MemoryKv
from lightningstor.ports import World
from lightningstor.s3.wire.operation import Operation, Scope
from lightningstor.s3.wire.operations import OPERATIONS
from lightningstor.store.store import open_store
from tests.s3.client import Answer, Body, Client
from tests.s3.conftest import ALICE, ANNE, BOB, ROOT, Service, service_over
from tests.s3.recording import RecordingKv
from tests.store.conftest import SMALL_LIMITS

SIGNED = [row for row in OPERATIONS if row.signed and row.superseded_by is None and not row.elsewhere]
PATHS = {Scope.SERVICE: "/", Scope.BUCKET: "/bucket", Scope.OBJECT: "/bucket/key"}
BUCKET_ROWS = b"lightningstor/buckets/"


class Watched(NamedTuple):
    """An endpoint whose metadata reads and commits are noted; ALICE owns `bucket` with the object `key` in it."""

    service: Service
    kv: RecordingKv

    def client(self) -> Client:
        return self.service.client(ALICE)


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    world = World()
    kv = RecordingKv(MemoryKv())
    async with (
        open_chunk_manager(MemoryChunkStore(), world=world, chunk_size=1 << 20) as chunks,
        open_store(kv, chunks, world, SMALL_LIMITS) as store,
    ):
        ready = Watched(service_over(store, world), kv)
        alice = ready.client()
        assert (await alice.put("/bucket")).status == 200
        assert (await alice.put("/bucket/key", b"secret")).status == 200
        kv.forget()
        yield ready


class Request(NamedTuple):
    """A request that matches a row of the table."""

    method: str
    path: str
    query: str
    headers: dict[str, str]


def request_of(operation: Operation) -> Request:
    """A request for the operation, complete enough to be matched."""
    values = {"partNumber": "1", "uploadId": "0" * 30, "id": "1", "annotationName": "a"}
    fields = []
    for selector in operation.query:
        name, equals, value = selector.partition("=")
        fields.append(f"{name}={value if equals else values.get(name, '')}")
    headers = {"x-amz-copy-source": "/bucket/key"} if operation.header else {}
    return Request(operation.method, PATHS[operation.scope], "&".join(fields), headers)


async def without_credentials(watched: Watched, request: Request) -> Answer:
    client = watched.client().anonymous()
    return await client.call(request.method, request.path, request.query, b"", request.headers)


async def with_unknown_key(watched: Watched, request: Request) -> Answer:
    client = evolve(watched.client(), access_key="AKNOBODY")
    return await client.call(request.method, request.path, request.query, b"", request.headers)


async def with_wrong_secret(watched: Watched, request: Request) -> Answer:
    client = evolve(watched.client(), secret="not-the-secret-0123456789")
    return await client.call(request.method, request.path, request.query, b"", request.headers)


async def with_expired_url(watched: Watched, request: Request) -> Answer:
    client = watched.client()
    then = datetime.fromtimestamp(client.now_ms() / 1000 - 61, UTC).strftime("%Y%m%dT%H%M%SZ")
    query = client.presign(request.method, request.path, request.query, 60, then)
    sent = {"host": client.host, "content-length": "0", **request.headers}
    return await client.raw(request.method, request.path, query, sent, Body([b""]))


async def with_stale_date(watched: Watched, request: Request) -> Answer:
    client = watched.client()
    late = evolve(client, now_ms=lambda: client.now_ms() - 15 * 60_000 - 1000)
    return await late.call(request.method, request.path, request.query, b"", request.headers)


REFUSED: dict[str, tuple[Callable[[Watched, Request], Awaitable[Answer]], str]] = {
    "without credentials": (without_credentials, "AccessDenied"),
    "unknown key": (with_unknown_key, "InvalidAccessKeyId"),
    "wrong secret": (with_wrong_secret, "SignatureDoesNotMatch"),
    "expired URL": (with_expired_url, "AccessDenied"),
    "stale date": (with_stale_date, "RequestTimeTooSkewed"),
}


@pytest.mark.parametrize("who", REFUSED)
async def test_nobody_gets_in_without_a_valid_signature(watched: Watched, who: str) -> None:
    """Every operation refuses it with 403, tells nothing of the store, and asks the store nothing."""
    attempt, code = REFUSED[who]
    for operation in SIGNED:
        request = request_of(operation)
        answer = await attempt(watched, request)
        told = answer.code if operation.method != "HEAD" else code
        # The unsigned header of a copy is found before the time is looked at.
        allowed = {code, "AccessDenied"} if operation.header else {code}
        assert answer.status == 403, operation.name
        assert told in allowed, operation.name
        assert "x-amz-bucket-region" not in answer.headers
        assert (watched.kv.read, watched.kv.commits) == ([], 0), operation.name
    assert len(SIGNED) > 100
    print(f"{len(SIGNED)} operations × {who}: refused")


async def test_other_tenants_get_nowhere(watched: Watched) -> None:
    """Every operation on a bucket of another organisation is 403, whether the object exists or not; only the bucket's
    own rows are read."""
    bob = watched.service.client(BOB)
    tried = 0
    for operation in SIGNED:
        request = request_of(operation)
        if operation.scope is Scope.SERVICE or operation.name == "CreateBucket":
            continue
        for path in {request.path, request.path.replace("key", "none")}:
            answer = await bob.call(request.method, path, request.query, b"", request.headers)
            assert answer.status == 403, operation.name
            if operation.method != "HEAD":
                assert answer.code == "AccessDenied", operation.name
                assert answer.text("BucketName") is None
            assert "x-amz-bucket-region" not in answer.headers
            tried += 1
    assert watched.kv.commits == 0
    assert all(key.startswith(BUCKET_ROWS) for key in watched.kv.read)
    print(f"{tried} requests of another organisation: refused")


async def test_what_another_tenant_holds_is_not_shown(watched: Watched) -> None:
    """Another organisation's bucket is not in the list, its name is taken, and its content cannot be copied."""
    bob = watched.service.client(BOB)
    assert (await bob.get("/")).texts("Buckets/Bucket/Name") == []
    assert (await bob.put("/bucket")).code == "BucketAlreadyExists"
    await bob.put("/bobs")
    answer = await bob.put("/bobs/stolen", x_amz_copy_source="/bucket/key")
    assert (answer.status, answer.code) == (403, "AccessDenied")
    assert (await bob.head("/bobs/stolen")).status == 404


async def test_a_principal_of_a_project(service: Service) -> None:
    """It reaches its project and what the organisation shares, not another project; the organisation reaches all."""
    alice, anne = service.client(ALICE), service.client(ANNE)
    await alice.put("/shared")
    await anne.put("/web")
    assert (await anne.put("/shared/key", b"x")).status == 200
    assert (await alice.get("/web")).status == 200
    assert (await anne.get("/")).texts("Buckets/Bucket/Name") == ["shared", "web"]
    assert (await service.client(BOB).get("/web")).status == 403


async def test_root_reaches_everything(service: Service) -> None:
    """The admin reads other organisations' buckets, and lists its own organisation's."""
    await service.client(ALICE).put("/bucket")
    root = service.client(ROOT)
    assert (await root.put("/bucket/key", b"x")).status == 200
    assert (await root.get("/")).texts("Buckets/Bucket/Name") == []


@pytest.mark.parametrize(
    ("owner", "status"), [("acme", 200), (ALICE.canonical_id, 200), ("other", 403), (BOB.canonical_id, 403), ("", 403)]
)
async def test_expected_bucket_owner(watched: Watched, owner: str, status: int) -> None:
    """A request for a bucket of somebody else than expected is refused, on both sides of a copy."""
    alice = watched.client()
    for answer in (
        await alice.get("/bucket/key", x_amz_expected_bucket_owner=owner),
        await alice.head("/bucket", x_amz_expected_bucket_owner=owner),
        await alice.put("/bucket/other", b"x", x_amz_expected_bucket_owner=owner),
        await alice.put("/bucket/copy", x_amz_copy_source="/bucket/key", x_amz_source_expected_bucket_owner=owner),
    ):
        assert answer.status == status


@pytest.mark.parametrize("skew_s", [-899, 899])
async def test_a_clock_that_is_a_little_off(watched: Watched, skew_s: int) -> None:
    """Up to 15 minutes either way are taken (PROOF 31)."""
    alice = watched.client()
    off = evolve(alice, now_ms=lambda: alice.now_ms() + skew_s * 1000)
    assert (await off.get("/bucket/key")).status == 200


@pytest.mark.parametrize(("expires_s", "status", "code"), [
    (1, 200, ""), (604_800, 200, ""), (0, 403, "AuthorizationQueryParametersError"),
    (604_801, 403, "AuthorizationQueryParametersError"), (-1, 403, "AuthorizationQueryParametersError"),
])  # fmt: skip
async def test_how_long_a_url_may_be_good(watched: Watched, expires_s: int, status: int, code: str) -> None:
    """1 to 604,800 seconds (PROOF 31)."""
    alice = watched.client()
    answer = await alice.raw(
        "GET", "/bucket/key", alice.presign("GET", "/bucket/key", "", expires_s), {"host": alice.host}, Body([b""])
    )
    assert (answer.status, answer.code) == (status, code)


async def test_a_presigned_url_is_good_for_what_it_was_made_for(watched: Watched) -> None:
    """Another method, path, parameter, host or x-amz- header breaks it; credentials given twice are refused."""
    alice = watched.client()
    query = alice.presign("GET", "/bucket/key")
    host = {"host": alice.host}
    for method, path, asked, headers, code in (
        ("PUT", "/bucket/key", query, host, "SignatureDoesNotMatch"),
        ("GET", "/bucket/kez", query, host, "SignatureDoesNotMatch"),
        ("GET", "/bucket/key", query + "&versionId=null", host, "SignatureDoesNotMatch"),
        ("GET", "/bucket/key", query, {"host": "elsewhere"}, "SignatureDoesNotMatch"),
        ("GET", "/bucket/key", query, {**host, "x-amz-checksum-mode": "ENABLED"}, "AccessDenied"),
        ("GET", "/bucket/key", query, {**host, "authorization": "AWS4-HMAC-SHA256 x"}, "InvalidArgument"),
        ("GET", "/bucket/key", query + "&X-Amz-Security-Token=t", host, "InvalidToken"),
        ("GET", "/bucket/key", query, host, ""),
    ):
        answer = await alice.raw(method, path, asked, {**headers, "content-length": "0"}, Body([b""]))
        assert answer.code == code
        assert (answer.status == 200) == (code == "")


async def test_a_wrong_signature_is_explained(watched: Watched) -> None:
    """The answer carries the canonical request and the string to sign that we computed, as S3's does; no secret."""
    client = evolve(watched.client(), secret="not-the-secret-0123456789")
    answer = await client.get("/bucket/key", "versionId=null")
    canonical = answer.text("CanonicalRequest") or ""
    assert canonical.startswith("GET\n/bucket/key\nversionId=null\nhost:")
    assert (answer.text("StringToSign") or "").startswith("AWS4-HMAC-SHA256\n")
    assert answer.text("AWSAccessKeyId") == "AKALICE"
    assert b"secret" not in answer.body.replace(b"not-the-secret", b"")


async def test_a_session_token_is_refused(watched: Watched) -> None:
    """There are no session credentials: a token that comes along is not ignored."""
    answer = await watched.client().get("/bucket/key", x_amz_security_token="token")
    assert answer.code == "InvalidToken"
