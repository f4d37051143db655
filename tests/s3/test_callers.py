"""Every operation of the table × every kind of caller (PROOF 29): what each may, written down by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest
from attrs import evolve, frozen

from lightningstor.chunks.manager import open_chunk_manager
from lightningstor.chunks.memory import MemoryChunkStore
from lightningstor.iam.authorize import EmbeddedAuthorizer
from lightningstor.iam.credentials import Credential, CredentialStore
from lightningstor.iam.directory import Directory, open_directory
from lightningstor.iam.principal import Role
from lightningstor.iam.statements import Statement
from lightningstor.kv.memory import MemoryKv
from lightningstor.ports import World
from lightningstor.s3.app import S3App
from lightningstor.s3.endpoint import Endpoint
from lightningstor.s3.settings import S3Settings
from lightningstor.s3.wire.operation import Operation
from lightningstor.s3.wire.operations import OPERATIONS
from lightningstor.store.store import open_store
from tests.s3.client import Answer, Body, Client, md5_header
from tests.s3.conftest import ROOT, SECRETS, Witness
from tests.s3.recording import RecordingKv
from tests.s3.test_access import SIGNED, request_of
from tests.store.conftest import SMALL_LIMITS

BUCKET_ROWS = b"lightningstor/buckets/"
BATCH = b"<Delete><Object><Key>key</Key></Object></Delete>"
EVERYTHING = ("lightningstor:*",)

READ, WRITE, OWN, LOOK, MAKE = "read", "write", "own", "look at the scope", "make a bucket of the scope"

NEEDS = {
    LOOK: "ListBuckets",
    MAKE: "CreateBucket",
    READ: """
        HeadBucket GetBucketLocation GetBucketVersioning GetBucketTagging GetBucketAcl GetBucketAbac GetBucketCors
        GetBucketAccelerateConfiguration GetBucketEncryption GetBucketLifecycleConfiguration GetBucketLogging
        GetBucketNotificationConfiguration GetObjectLockConfiguration GetBucketOwnershipControls GetBucketPolicy
        GetBucketPolicyStatus GetPublicAccessBlock GetBucketReplication GetBucketRequestPayment GetBucketWebsite
        GetBucketAnalyticsConfiguration ListBucketAnalyticsConfigurations GetBucketIntelligentTieringConfiguration
        ListBucketIntelligentTieringConfigurations GetBucketInventoryConfiguration ListBucketInventoryConfigurations
        GetBucketMetricsConfiguration ListBucketMetricsConfigurations GetBucketMetadataConfiguration
        GetBucketMetadataTableConfiguration CreateSession ListObjects ListObjectsV2 ListObjectVersions
        ListMultipartUploads ListParts GetObject HeadObject GetObjectAttributes GetObjectTagging GetObjectAcl
        GetObjectLegalHold GetObjectRetention GetObjectTorrent SelectObjectContent GetObjectAnnotation
        ListObjectAnnotations
    """,
    WRITE: """
        PutObject PutObjectTagging DeleteObjectTagging PutObjectAcl PutObjectLegalHold PutObjectRetention RestoreObject
        RenameObject UpdateObjectEncryption PutObjectAnnotation DeleteObjectAnnotation PostObject DeleteObject
        DeleteObjects CopyObject CreateMultipartUpload UploadPart UploadPartCopy CompleteMultipartUpload
        AbortMultipartUpload
    """,
    OWN: """
        DeleteBucket PutBucketVersioning PutBucketTagging DeleteBucketTagging PutBucketAcl PutBucketAbac PutBucketCors
        PutBucketAccelerateConfiguration DeleteBucketCors PutBucketEncryption DeleteBucketEncryption PutBucketLogging
        PutBucketLifecycleConfiguration DeleteBucketLifecycle PutBucketNotificationConfiguration DeleteBucketPolicy
        PutObjectLockConfiguration PutBucketOwnershipControls DeleteBucketOwnershipControls PutBucketPolicy
        PutPublicAccessBlock DeletePublicAccessBlock PutBucketReplication DeleteBucketReplication
        PutBucketRequestPayment PutBucketWebsite DeleteBucketWebsite PutBucketAnalyticsConfiguration
        DeleteBucketAnalyticsConfiguration PutBucketIntelligentTieringConfiguration
        DeleteBucketIntelligentTieringConfiguration PutBucketInventoryConfiguration
        DeleteBucketInventoryConfiguration PutBucketMetricsConfiguration DeleteBucketMetricsConfiguration
        CreateBucketMetadataConfiguration DeleteBucketMetadataConfiguration CreateBucketMetadataTableConfiguration
        DeleteBucketMetadataTableConfiguration UpdateBucketMetadataAnnotationTableConfiguration
        UpdateBucketMetadataInventoryTableConfiguration UpdateBucketMetadataJournalTableConfiguration
    """,
}
NEED_OF = {name: need for need, names in NEEDS.items() for name in names.split()}
"""What an operation is about, by hand: a row of the table that does not stand here fails."""


@frozen
class Place:
    """An endpoint over a directory: `bucket` belongs to acme's project web, `shared` to acme, each with two objects."""

    app: S3App
    kv: RecordingKv
    directory: Directory
    world: World

    async def client(self, principal_id: str) -> Client:
        issued = await self.directory.access_keys.create(principal_id)
        self.kv.forget()
        return Client(self.app, issued.record.id, issued.secret, self.world.clock.now_ms)


@asynccontextmanager
async def open_place(scoped_names: bool = False) -> AsyncIterator[Place]:
    world = World()
    kv = RecordingKv(MemoryKv())
    credentials = CredentialStore(world.clock, [Credential("AKROOT", SECRETS["root"].encode(), ROOT)])
    async with (
        open_chunk_manager(MemoryChunkStore(), world=world, chunk_size=1 << 20) as chunks,
        open_store(kv, chunks, world, SMALL_LIMITS, scoped_names=scoped_names) as store,
    ):
        directory = await open_directory(kv, credentials, bytes(32), world)
        for org_id in ("acme", "other"):
            await directory.organisations.create(org_id)
        for project_id in ("web", "db"):
            await directory.projects.create("acme", project_id)
        await directory.groups.create("acme", "banned")
        people = directory.principals
        await people.create("alice", org_id="acme")
        await people.create("olga", org_id="acme", project_id="web")
        await people.create("rita", org_id="acme", project_id="web", role=Role.READER)
        await people.create("walt", org_id="acme", project_id="web", role=Role.WRITER)
        await people.create("nobody", org_id="acme", role=Role.NONE)
        await people.create("dora", org_id="acme", project_id="db")
        await people.create("bob", org_id="other")
        authorizer = EmbeddedAuthorizer(directory.view)
        app = S3App(Endpoint(S3Settings(), store, credentials, authorizer, world, Witness()))
        made = Place(app, kv, directory, world)
        for owner, bucket in (("olga", "bucket"), ("alice", "shared")):
            client = await made.client(owner)
            assert (await client.put(f"/{bucket}")).status == 200
            for key in ("key", "kept"):
                assert (await client.put(f"/{bucket}/{key}", b"content")).status == 200
        yield made


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with open_place() as made:
        yield made


async def as_principal(place: Place, principal_id: str) -> Client:
    return await place.client(principal_id)


async def as_root(place: Place, _: str) -> Client:
    place.kv.forget()
    return Client(place.app, "AKROOT", SECRETS["root"], place.world.clock.now_ms)


async def as_granted(place: Place, org_id: str) -> Client:
    """A principal that has nothing but two grants of acme: everything in the bucket, and to it."""
    name = {"acme": "nobody", "other": "bob"}[org_id]
    for resource in ("org/acme/project/web/bucket/bucket", "org/acme/project/web/bucket/bucket/*"):
        await place.directory.grants.add("acme", Statement("Allow", EVERYTHING, (resource,)), principal_id=name)
    return await place.client(name)


async def as_given_by_strangers(place: Place, _: str) -> Client:
    """Another organisation's principal, to whom its own organisation has granted what is not its."""
    await place.directory.grants.add("other", Statement("Allow", EVERYTHING, ("*",)), principal_id="bob")
    return await place.client("bob")


async def as_denied(place: Place, how: str) -> Client:
    deny = Statement("Deny", EVERYTHING, ("org/acme/*",))
    allow = Statement("Allow", EVERYTHING, ("*",))
    await place.directory.grants.add("acme", allow, principal_id="olga")
    if how == "group":
        await place.directory.principals.update("olga", groups=("banned",))
        await place.directory.grants.add("acme", deny, group_id="banned")
    elif how == "organisation":
        await place.directory.grants.add("acme", deny)
    else:
        await place.directory.grants.add("acme", deny, principal_id="olga")
    return await place.client("olga")


async def as_disabled(place: Place, how: str) -> Client:
    """An owner whose key was good until a moment ago."""
    client = await place.client("olga")
    access_key = client.access_key or ""
    assert (await client.get("/bucket/key")).status == 200
    directory = place.directory
    if how == "expired":
        await directory.access_keys.expire(access_key, place.world.clock.now_ms() - 1)
    elif how == "revoked":
        await directory.access_keys.revoke(access_key)
    elif how == "rotated":
        await directory.access_keys.rotate(access_key)
    elif how == "disabled":
        await directory.principals.update("olga", disabled=True)
    else:
        await directory.principals.delete("olga")
    place.kv.forget()
    return client


async def as_unsigned(place: Place, how: str) -> Client:
    client = await place.client("olga")
    if how == "anonymous":
        return client.anonymous()
    return evolve(client, access_key="LSAKNOBODY") if how == "wrong key" else evolve(client, secret="not the secret")


class Caller(NamedTuple):
    """Who calls.

    Args:
        client: makes its client. about: what that is told.
        may: what the caller may; for the rest it gets `code`.
        bucket: that it tries.
        silent: the refusal reads nothing of the store.
    """

    client: Callable[[Place, str], Awaitable[Client]]
    about: str
    may: frozenset[str]
    code: str = "AccessDenied"
    bucket: str = "bucket"
    silent: bool = False


ALL = frozenset({READ, WRITE, OWN, LOOK, MAKE})
SCOPE = frozenset({LOOK, MAKE})
UNKNOWN_KEY = "InvalidAccessKeyId"

CALLERS: dict[str, Caller] = {
    "admin": Caller(as_root, "", ALL),
    "owner of the organisation": Caller(as_principal, "alice", ALL),
    "owner of the project": Caller(as_principal, "olga", ALL),
    "writer": Caller(as_principal, "walt", frozenset({READ, WRITE, LOOK})),
    "reader": Caller(as_principal, "rita", frozenset({READ, LOOK})),
    "no role": Caller(as_principal, "nobody", frozenset()),
    "no role, granted the bucket": Caller(as_granted, "acme", frozenset({READ, WRITE, OWN})),
    "project's principal, organisation's bucket": Caller(as_principal, "olga", SCOPE | {READ, WRITE}, bucket="shared"),
    "reader, organisation's bucket": Caller(as_principal, "rita", frozenset({READ, LOOK}), bucket="shared"),
    "other project": Caller(as_principal, "dora", SCOPE),
    "other organisation": Caller(as_principal, "bob", SCOPE),
    "other organisation, granted the bucket": Caller(as_granted, "other", SCOPE | {READ, WRITE, OWN}),
    "other organisation, granted by itself": Caller(as_given_by_strangers, "", SCOPE),
    "denied": Caller(as_denied, "principal", frozenset()),
    "denied as a member": Caller(as_denied, "group", frozenset()),
    "denied with all others": Caller(as_denied, "organisation", frozenset()),
    "anonymous": Caller(as_unsigned, "anonymous", frozenset(), silent=True),
    "wrong key": Caller(as_unsigned, "wrong key", frozenset(), UNKNOWN_KEY, silent=True),
    "wrong signature": Caller(as_unsigned, "wrong signature", frozenset(), "SignatureDoesNotMatch", silent=True),
    "expired key": Caller(as_disabled, "expired", frozenset(), UNKNOWN_KEY, silent=True),
    "revoked key": Caller(as_disabled, "revoked", frozenset(), UNKNOWN_KEY, silent=True),
    "rotated key": Caller(as_disabled, "rotated", frozenset(), UNKNOWN_KEY, silent=True),
    "disabled principal": Caller(as_disabled, "disabled", frozenset(), UNKNOWN_KEY, silent=True),
    "deleted principal": Caller(as_disabled, "deleted", frozenset(), UNKNOWN_KEY, silent=True),
}


def test_every_operation_has_a_row_here() -> None:
    """Whoever adds an operation says here what it takes to be allowed to do it."""
    assert NEED_OF.keys() == {row.name for row in SIGNED}
    assert len(NEED_OF) == sum(len(names.split()) for names in NEEDS.values())
    assert {row.name for row in OPERATIONS} - NEED_OF.keys() == {
        row.name for row in OPERATIONS if not row.signed or row.superseded_by is not None or row.elsewhere
    }


async def attempt(client: Client, operation: Operation, bucket: str, how: str) -> Answer:
    """One request for the operation: complete, as far as it takes to be authorised."""
    request = request_of(operation)
    path = request.path.replace("/bucket", f"/{bucket}", 1)
    if operation.name == "CreateBucket":
        path = "/" + bucket
    headers = {name: value.replace("/bucket/", f"/{bucket}/") for name, value in request.headers.items()}
    body = BATCH if operation.name == "DeleteObjects" else b""
    if body:
        headers["content-md5"] = md5_header(body)["content_md5"]
    if how == "header" or client.access_key is None or headers:
        return await client.call(request.method, path, request.query, body, headers)
    query = client.presign(request.method, path, request.query)
    return await client.raw(request.method, path, query, {"host": client.host, "content-length": "0"}, Body([b""]))


@pytest.mark.parametrize("how", ["header", "presigned"])
@pytest.mark.parametrize("who", CALLERS)
async def test_every_operation_by_every_caller(place: Place, who: str, how: str) -> None:
    """Each is allowed or refused as the tables say; a refused one reads no more than the bucket's own record, changes
    nothing, and is told nothing."""
    caller = CALLERS[who]
    client = await caller.client(place, caller.about)
    for operation in SIGNED:
        place.kv.forget()
        answer = await attempt(client, operation, caller.bucket, how)
        if NEED_OF[operation.name] in caller.may:
            assert answer.status not in (401, 403, 500), (operation.name, answer)
            continue
        assert answer.status == 403, operation.name
        if operation.method != "HEAD":
            assert answer.code == caller.code, operation.name
        assert "x-amz-bucket-region" not in answer.headers
        assert place.kv.commits == 0, operation.name
        read = place.kv.read
        assert read == [] if caller.silent else all(key.startswith(BUCKET_ROWS) for key in read), operation.name


def test_everything_is_allowed_to_somebody_and_refused_to_somebody() -> None:
    """The table of callers tells the needs apart: no two of them always go together."""
    answers = {need: tuple(need in caller.may for caller in CALLERS.values()) for need in ALL}
    assert len(set(answers.values())) == len(answers)


# Conditions, copies and batches


async def granted(place: Place, *statements: Statement) -> Client:
    """A principal without a role that these statements are attached to."""
    for statement in statements:
        await place.directory.grants.add("acme", statement, principal_id="nobody")
    return await place.client("nobody")


WEB = "org/acme/project/web/bucket/bucket"


@pytest.mark.parametrize(
    ("denied", "status"), [(None, 200), ("lightningstor:objects:get", 403), ("lightningstor:objects:put", 403),
                           ("lightningstor:objects:copy", 403), ("s3:GetObject", 403), ("s3:PutObject", 403)]
)  # fmt: skip
async def test_a_copy_checks_both_sides(place: Place, denied: str | None, status: int) -> None:
    """Whoever may not read the source, or not write the target, cannot copy; a refused copy changes nothing."""
    olga = await place.client("olga")
    assert (await olga.put("/target")).status == 200
    if denied is not None:
        source = "get" in denied.lower()
        where = (f"{WEB}/object/key",) if source else ("org/acme/project/web/bucket/target/*",)
        await place.directory.grants.add("acme", Statement("Deny", (denied,), where), principal_id="olga")
    upload = (await olga.post("/target/part", b"", "uploads")).text("UploadId") if status == 200 else None
    copied = await olga.put("/target/copy", x_amz_copy_source="/bucket/key")
    assert copied.status == status
    query = f"partNumber=1&uploadId={upload or '0' * 30}"
    part = await olga.put("/target/part", b"", query, x_amz_copy_source="/bucket/key")
    if denied != "lightningstor:objects:copy":  # which says nothing of parts
        assert part.status == status
    alice = await place.client("alice")
    assert (await alice.head("/target/copy")).status == (200 if status == 200 else 404)


async def test_a_copy_out_of_another_tenants_bucket(place: Place) -> None:
    """Neither copies nor copied parts come out of a bucket that the caller cannot read."""
    bob = await place.client("bob")
    assert (await bob.put("/bobs")).status == 200
    upload = (await bob.post("/bobs/part", b"", "uploads")).text("UploadId")
    for query in ("", f"partNumber=1&uploadId={upload}"):
        answer = await bob.call("PUT", "/bobs/part", query, b"", {"x-amz-copy-source": "/bucket/key"})
        assert (answer.status, answer.code) == (403, "AccessDenied")


async def test_a_foreign_upload_id_is_nobodys(place: Place) -> None:
    """An upload counts only in its own bucket: its id opens nothing from elsewhere."""
    olga, bob = await place.client("olga"), await place.client("bob")
    await bob.put("/bobs")
    upload = (await olga.post("/bucket/key", b"", "uploads")).text("UploadId")
    for method, query in (("PUT", "&partNumber=1"), ("GET", ""), ("DELETE", ""), ("POST", "")):
        for path, status in (("/bucket/key", 403), ("/bobs/key", 404)):
            answer = await bob.call(method, path, f"uploadId={upload}{query}", b"x" if method == "PUT" else b"")
            assert answer.status == status or (method, status, answer.status) == ("POST", 404, 400)
    assert (await olga.get("/bucket/key", f"uploadId={upload}")).status == 200


async def test_a_batch_is_authorised_key_by_key(place: Place) -> None:
    """Of a DeleteObjects the allowed keys go and the others are refused in the answer; with none allowed, all of it."""
    client = await granted(place, Statement("Allow", ("lightningstor:objects:delete",), (f"{WEB}/object/k*y",)))
    both = b"<Delete><Object><Key>key</Key></Object><Object><Key>kept</Key></Object></Delete>"
    answer = await client.post("/bucket", both, "delete", **md5_header(both))
    assert (answer.status, answer.texts("Deleted/Key")) == (200, ["key"])
    assert (answer.texts("Error/Key"), answer.texts("Error/Code")) == (["kept"], ["AccessDenied"])
    olga = await place.client("olga")
    assert [(await olga.head(f"/bucket/{key}")).status for key in ("key", "kept")] == [404, 200]
    none = b"<Delete><Object><Key>kept</Key></Object></Delete>"
    refused = await client.post("/bucket", none, "delete", **md5_header(none))
    assert (refused.status, refused.code) == (403, "AccessDenied")


@pytest.mark.parametrize(
    ("operator", "key", "value", "status"),
    [
        ("IpAddress", "aws:SourceIp", "127.0.0.0/8", 200),
        ("IpAddress", "aws:SourceIp", "10.0.0.0/8", 403),
        ("Bool", "aws:SecureTransport", "false", 200),
        ("Bool", "aws:SecureTransport", "true", 403),
        ("DateGreaterThan", "aws:CurrentTime", "2020-01-01T00:00:00Z", 200),
        ("DateLessThan", "aws:CurrentTime", "2020-01-01T00:00:00Z", 403),
        ("NumericGreaterThan", "aws:EpochTime", "1577836800", 200),
        ("StringLike", "aws:UserAgent", "test*", 200),
        ("StringLike", "aws:UserAgent", "boto*", 403),
        ("StringEquals", "aws:username", "nobody", 200),
        ("StringEquals", "aws:PrincipalOrgID", "acme", 200),
        ("StringEquals", "s3:prefix", "public/", 200),
        ("StringEquals", "s3:prefix", "secret/", 403),
        ("StringEquals", "s3:delimiter", "/", 200),
        ("NumericLessThanEquals", "s3:max-keys", "10", 200),
        ("NumericLessThanEquals", "s3:max-keys", "9", 403),
        ("Null", "s3:VersionId", "true", 200),
        ("StringEquals", "s3:authType", "REST-HEADER", 200),
        ("StringEquals", "s3:signatureversion", "AWS4-HMAC-SHA256", 200),
        ("Null", "s3:x-amz-acl", "true", 200),
    ],
)
async def test_what_conditions_know_of_a_request(
    place: Place, operator: str, key: str, value: str, status: int
) -> None:
    """An Allow with a condition that is not met does not apply; a Deny with the same neither."""
    met = {operator: {key: (value,)}}
    query = "delimiter=%2F&list-type=2&max-keys=10&prefix=public%2F"
    client = await granted(place, Statement("Allow", ("s3:ListBucket",), (WEB,), conditions=met))
    assert (await client.get("/bucket", query, user_agent="tester")).status == status
    if "username" in key:
        return
    await place.directory.grants.add(
        "acme", Statement("Deny", ("s3:ListBucket",), (WEB,), conditions=met), principal_id="olga"
    )
    olga = await place.client("olga")
    assert (await olga.get("/bucket", query, user_agent="tester")).status == (403 if status == 200 else 200)


async def test_an_unknown_condition_refuses(place: Place) -> None:
    """An Allow that asks for what we cannot tell does not apply, a Deny does (PROOF 36)."""
    unknown = {"StringEquals": {"aws:PrincipalTag/team": ("red",)}}
    client = await granted(place, Statement("Allow", ("s3:ListBucket",), (WEB,), conditions=unknown))
    assert (await client.get("/bucket")).status == 403
    deny = Statement("Deny", ("s3:ListBucket",), (WEB,), conditions=unknown)
    grant = await place.directory.grants.add("acme", deny, principal_id="olga")
    olga = await place.client("olga")
    assert (await olga.get("/bucket")).status == 403
    await place.directory.grants.remove("acme", grant.id)
    assert (await olga.get("/bucket")).status == 200


async def test_s3_actions_tell_versions_apart(place: Place) -> None:
    """`s3:GetObject` does not allow to read a version by its id, `s3:GetObjectVersion` does; as in AWS."""
    olga = await place.client("olga")
    client = await granted(place, Statement("Allow", ("s3:GetObject",), (f"{WEB}/*",)))
    assert (await client.get("/bucket/key")).status == 200
    assert (await client.get("/bucket/key", "versionId=null")).status == 403
    client = await granted(place, Statement("Allow", ("s3:GetObjectVersion",), ("arn:aws:s3:::bucket/*",)))
    assert (await client.get("/bucket/key", "versionId=null")).status == 200
    assert (await olga.put("/bucket/copy", x_amz_copy_source="/bucket/key?versionId=null")).status == 200


async def test_absence_is_told_to_those_who_may_list(place: Place) -> None:
    """Whoever may read but not list learns nothing of which keys there are."""
    client = await granted(place, Statement("Allow", ("lightningstor:objects:get",), (f"{WEB}/*",)))
    assert (await client.get("/bucket/none")).code == "AccessDenied"
    client = await granted(place, Statement("Allow", ("s3:ListBucket",), (WEB,)))
    assert (await client.get("/bucket/none")).code == "NoSuchKey"
