"""Buckets through the app."""

from __future__ import annotations

import pytest

from lightningstor.s3.settings import S3Settings
from tests.s3.client import Client, md5_header
from tests.s3.conftest import ALICE, BOB, Service, memory_service

ENABLE = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
SUSPEND = b"<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>"


def tagging(*tags: tuple[str, str]) -> bytes:
    inner = "".join(f"<Tag><Key>{key}</Key><Value>{value}</Value></Tag>" for key, value in tags)
    return f"<Tagging><TagSet>{inner}</TagSet></Tagging>".encode()


async def test_a_bucket_comes_and_goes(grounded: Service) -> None:
    """Created, listed, found, deleted, gone."""
    s3 = grounded.client()
    made = await s3.put("/bucket")
    assert (made.status, made.headers["location"]) == (200, "/bucket")
    assert (await s3.get("/")).texts("Buckets/Bucket/Name") == ["bucket"]
    head = await s3.head("/bucket")
    assert (head.status, head.headers["x-amz-bucket-region"]) == (200, "us-east-1")
    gone = await s3.delete("/bucket")
    assert (gone.status, gone.body) == (204, b"")
    assert (await s3.head("/bucket")).status == 404
    assert (await s3.get("/")).texts("Buckets/Bucket/Name") == []


@pytest.mark.parametrize(
    "name", ["ab", "a" * 64, "Upper", "under_score", "-a-", "a..b", "192.168.0.1", "xn--a", "a%20b", "b%C3%BCcket"]
)
async def test_names_out_of_rules(s3: Client, name: str) -> None:
    """S3's naming rules hold, and the answer says which was broken."""
    answer = await s3.put(f"/{name}")
    assert (answer.status, answer.code) == (400, "InvalidBucketName")
    assert answer.text("Reason")


async def test_names_with_dots(s3: Client) -> None:
    """S3 allows dots; the specification's narrower rule can be set."""
    assert (await s3.put("/with.dots")).status == 200
    async with memory_service(S3Settings(strict_names=True)) as strict:
        assert (await strict.client().put("/with.dots")).code == "InvalidBucketName"


async def test_creating_what_one_has(s3: Client) -> None:
    """In us-east-1 that is no error; anywhere else, and where tags would be lost, BucketAlreadyOwnedByYou."""
    assert [(await s3.put("/bucket")).status for _ in range(2)] == [200, 200]
    with_tags = (
        b"<CreateBucketConfiguration><Tags><Tag><Key>a</Key><Value>b</Value></Tag></Tags></CreateBucketConfiguration>"
    )
    assert (await s3.put("/bucket", with_tags)).code == "BucketAlreadyOwnedByYou"
    async with memory_service(S3Settings(region="eu-west-1")) as elsewhere:
        client = elsewhere.client()
        assert (await client.put("/bucket")).status == 200
        again = await client.put("/bucket")
        assert (again.status, again.code) == (409, "BucketAlreadyOwnedByYou")


async def test_a_name_exists_once(service: Service) -> None:
    """What somebody else holds cannot be had."""
    await service.client(ALICE).put("/bucket")
    answer = await service.client(BOB).put("/bucket")
    assert (answer.status, answer.code) == (409, "BucketAlreadyExists")


def in_region(region: str) -> bytes:
    return (
        f'<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
    ).encode()


@pytest.mark.parametrize(
    ("asked", "told", "location"),
    [
        ("us-east-1", "us-east-1", ""),
        ("eu-central-1", "eu-central-1", "eu-central-1"),
        ("EU", "eu-west-1", "eu-west-1"),
    ],
)
async def test_where_a_bucket_lies(s3: Client, asked: str, told: str, location: str) -> None:
    """A location constraint is kept and told again; us-east-1 is told as nothing."""
    assert (await s3.put("/bucket", in_region(asked))).status == 200
    answer = await s3.get("/bucket", "location")
    assert (answer.xml.tag, answer.xml.text or "") == ("LocationConstraint", location)
    assert answer.headers["x-amz-bucket-region"] == told


async def test_a_region_that_is_none(s3: Client) -> None:
    """What cannot be a region is InvalidLocationConstraint."""
    assert (await s3.put("/bucket", in_region("Not A Region"))).code == "InvalidLocationConstraint"


async def test_a_strict_endpoint_has_one_region() -> None:
    """Signatures and location constraints for another region are refused, and the right one is named."""
    async with memory_service(S3Settings(region="eu-west-1", strict_region=True)) as strict:
        here, there = strict.client(region="eu-west-1"), strict.client(region="us-west-2")
        assert (await here.put("/bucket", in_region("us-west-2"))).code == "IllegalLocationConstraintException"
        assert (await here.put("/bucket", in_region("eu-west-1"))).status == 200
        answer = await there.get("/bucket")
        assert (answer.status, answer.code) == (400, "AuthorizationHeaderMalformed")
        assert answer.text("Region") == "eu-west-1"


async def test_a_bucket_that_is_not_empty_stays(s3: Client) -> None:
    """An object, and also a mere delete marker, keeps it."""
    await s3.put("/bucket")
    await s3.put("/bucket", ENABLE, "versioning", **md5_header(ENABLE))
    await s3.put("/bucket/key", b"x")
    assert (await s3.delete("/bucket")).code == "BucketNotEmpty"
    version = (await s3.head("/bucket/key")).headers["x-amz-version-id"]
    await s3.delete("/bucket/key")
    await s3.delete("/bucket/key", f"versionId={version}")
    answer = await s3.delete("/bucket")
    assert (answer.status, answer.code) == (409, "BucketNotEmpty")


async def test_a_bucket_made_again_is_empty(s3: Client) -> None:
    """Nothing of the old one shows in a new one of the same name: no objects, tags or versioning."""
    await s3.put("/bucket")
    await s3.put("/bucket/key", b"x")
    body = tagging(("a", "b"))
    await s3.put("/bucket", body, "tagging", **md5_header(body))
    await s3.delete("/bucket/key")
    await s3.delete("/bucket")
    await s3.put("/bucket")
    assert (await s3.get("/bucket/key")).status == 404
    assert (await s3.get("/bucket", "tagging")).code == "NoSuchTagSet"


async def test_buckets_in_pages(s3: Client) -> None:
    """max-buckets, continuation-token, prefix and bucket-region; the pages together are the whole list, in order."""
    names = [f"a-{index:02d}" for index in range(5)] + ["b-00"]
    for name in reversed(names):
        await s3.put(f"/{name}")
    await s3.put("/c-west", in_region("us-west-2"))
    seen: list[str] = []
    query = "max-buckets=2&prefix=a-"
    while True:
        page = await s3.get("/", query)
        seen += page.texts("Buckets/Bucket/Name")
        assert page.text("Prefix") == "a-"
        token = page.text("ContinuationToken")
        if token is None:
            break
        query = f"continuation-token={token.replace('=', '%3D')}&max-buckets=2&prefix=a-"
    assert seen == names[:5]
    assert (await s3.get("/", "bucket-region=us-west-2")).texts("Buckets/Bucket/Name") == ["c-west"]
    assert (await s3.get("/", "max-buckets=0")).code == "InvalidArgument"
    assert (await s3.get("/", "max-buckets=10001")).code == "InvalidArgument"
    assert (await s3.get("/", "continuation-token=%21%21")).code == "InvalidArgument"


async def test_versioning_is_set_and_told(s3: Client) -> None:
    """Nothing at first, then Enabled, then Suspended; never again nothing."""
    await s3.put("/bucket")
    assert (await s3.get("/bucket", "versioning")).text("Status") is None
    for body, status in ((ENABLE, "Enabled"), (SUSPEND, "Suspended")):
        assert (await s3.put("/bucket", body, "versioning", **md5_header(body))).status == 200
        assert (await s3.get("/bucket", "versioning")).text("Status") == status


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"<VersioningConfiguration/>", "IllegalVersioningConfigurationException"),
        (b"<VersioningConfiguration><Status>Disabled</Status></VersioningConfiguration>", "MalformedXML"),
        (b"<VersioningConfiguration><MfaDelete>Enabled</MfaDelete></VersioningConfiguration>", "NotImplemented"),
        (b"<Versioning/>", "MalformedXML"),
        (b"<VersioningConfiguration>", "MalformedXML"),
        (b"\xff\xfe", "MalformedXML"),
        (b"", "MissingRequestBodyError"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><VersioningConfiguration>&b;</VersioningConfiguration>', "MalformedXML"),
        (b"<VersioningConfiguration>" + b"<a>" * 200_000, "MalformedXML"),
        (b" " * ((1 << 20) + 1), "MaxMessageLengthExceeded"),
    ],
)
async def test_a_versioning_document_that_is_none(s3: Client, body: bytes, code: str) -> None:
    """S3's code for each; the setting stays."""
    await s3.put("/bucket")
    assert (await s3.put("/bucket", body, "versioning", **md5_header(body))).code == code
    assert (await s3.get("/bucket", "versioning")).text("Status") is None


async def test_documents_must_come_with_a_checksum(s3: Client) -> None:
    """Where S3 wants one, a Content-MD5 or any x-amz-checksum does, and it is checked."""
    await s3.put("/bucket")
    assert (await s3.put("/bucket", ENABLE, "versioning")).code == "InvalidRequest"
    wrong = md5_header(b"other")
    assert (await s3.put("/bucket", ENABLE, "versioning", **wrong)).code == "BadDigest"
    assert (await s3.put("/bucket", ENABLE, "versioning", x_amz_checksum_crc32="AAAAAA==")).code == "BadDigest"
    assert (await s3.get("/bucket", "versioning")).text("Status") is None


async def test_bucket_tags(s3: Client) -> None:
    """Put, replaced, deleted; that there are none is NoSuchTagSet."""
    await s3.put("/bucket")
    assert (await s3.get("/bucket", "tagging")).code == "NoSuchTagSet"
    for body in (tagging(("a", "1"), ("b", "")), tagging(("c", "3"))):
        assert (await s3.put("/bucket", body, "tagging", **md5_header(body))).status == 204
    answer = await s3.get("/bucket", "tagging")
    assert (answer.texts("TagSet/Tag/Key"), answer.texts("TagSet/Tag/Value")) == (["c"], ["3"])
    assert (await s3.delete("/bucket", "tagging")).status == 204
    assert (await s3.get("/bucket", "tagging")).code == "NoSuchTagSet"


@pytest.mark.parametrize(
    "tags",
    [
        [("a", "1"), ("a", "2")],
        [("", "1")],
        [("k" * 129, "1")],
        [("k", "v" * 257)],
        [("aws:a", "1")],
        [("a?", "1")],
        [(f"k{index}", "v") for index in range(51)],
    ],
)
async def test_bucket_tags_out_of_rules(s3: Client, tags: list[tuple[str, str]]) -> None:
    """InvalidTag, and the tags stay as they were."""
    await s3.put("/bucket")
    body = tagging(*tags)
    answer = await s3.put("/bucket", body, "tagging", **md5_header(body))
    assert (answer.status, answer.code) == (400, "InvalidTag")
    assert (await s3.get("/bucket", "tagging")).code == "NoSuchTagSet"


async def test_tags_at_creation(s3: Client) -> None:
    """CreateBucket's own tags are kept."""
    body = (
        b"<CreateBucketConfiguration><Tags><Tag><Key>a</Key><Value>b</Value></Tag></Tags></CreateBucketConfiguration>"
    )
    assert (await s3.put("/bucket", body)).status == 200
    assert (await s3.get("/bucket", "tagging")).texts("TagSet/Tag/Key") == ["a"]


async def test_the_owner_has_full_control(s3: Client) -> None:
    """GetBucketAcl and GetObjectAcl give the bucket's owner everything; setting an ACL is refused."""
    await s3.put("/bucket")
    await s3.put("/bucket/key", b"x")
    for path in ("/bucket", "/bucket/key"):
        answer = await s3.get(path, "acl")
        assert answer.texts("AccessControlList/Grant/Permission") == ["FULL_CONTROL"]
        assert answer.text("AccessControlList/Grant/Grantee/ID") == answer.text("Owner/ID")
        refused = await s3.put(path, b"", "acl", x_amz_acl="public-read")
        assert (refused.status, refused.code) == (400, "AccessControlListNotSupported")
    assert (await s3.get("/bucket/none", "acl")).code == "NoSuchKey"


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("lifecycle", 404, "NoSuchLifecycleConfiguration"),
        ("cors", 404, "NoSuchCORSConfiguration"),
        ("policy", 404, "NoSuchBucketPolicy"),
        ("website", 404, "NoSuchWebsiteConfiguration"),
        ("encryption", 404, "ServerSideEncryptionConfigurationNotFoundError"),
        ("object-lock", 404, "ObjectLockConfigurationNotFoundError"),
        ("ownershipControls", 404, "OwnershipControlsNotFoundError"),
        ("publicAccessBlock", 404, "NoSuchPublicAccessBlockConfiguration"),
        ("replication", 404, "ReplicationConfigurationNotFoundError"),
        ("tagging", 404, "NoSuchTagSet"),
        ("notification", 200, ""),
        ("accelerate", 200, ""),
        ("requestPayment", 200, ""),
    ],
)
async def test_what_is_not_configured(s3: Client, query: str, status: int, code: str) -> None:
    """S3's own answer, so that Terraform's read of a bucket works; for a missing bucket NoSuchBucket."""
    await s3.put("/bucket")
    answer = await s3.get("/bucket", query)
    assert (answer.status, answer.code) == (status, code)
    assert (await s3.get("/nowhere", query)).code == "NoSuchBucket"


@pytest.mark.parametrize("query", ["lifecycle", "cors", "policy", "encryption", "notification"])
async def test_what_would_configure_it(s3: Client, query: str) -> None:
    """Setting what does not exist here is 501, never a silent 200."""
    await s3.put("/bucket")
    answer = await s3.put("/bucket", b"<a/>", query, **md5_header(b"<a/>"))
    assert (answer.status, answer.code) == (501, "NotImplemented")


async def test_the_probe_of_mc(s3: Client) -> None:
    """`mc alias set` asks for the location of a bucket that is not there, and takes NoSuchBucket for a working key."""
    answer = await s3.get("/probe-bsign-abc/", "location")
    assert (answer.status, answer.code) == (404, "NoSuchBucket")


async def test_virtual_host_style(service: Service) -> None:
    """The bucket may stand in the host name; the signature covers that host."""
    path_style = service.client()
    await path_style.put("/bucket")
    hosted = service.client(host="bucket.localhost:9000")
    assert (await hosted.put("/key", b"x")).status == 200
    assert (await path_style.get("/bucket/key")).body == b"x"
    assert (await hosted.get("/")).texts("Contents/Key") == ["key"]
    assert (await hosted.delete("/key")).status == 204
    assert (await hosted.delete("/")).status == 204
