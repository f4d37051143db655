"""Principals, sealed credentials, and who may do what."""

from __future__ import annotations

import pytest
from attrs import define, evolve

from lightningstor.errors import AccessDenied, BytesCorrupt
from lightningstor.iam import (
    Credential,
    CredentialStore,
    EmbeddedAuthorizer,
    Principal,
    Resource,
)
from lightningstor.iam.principal import Role
from lightningstor.iam.seal import Seal
from lightningstor.ports import SystemEntropy

KEY = bytes(range(32))
ALICE = Principal("alice", "acme", "web", display_name="Alice", email="alice@example.org")
BOB = Principal("bob", "acme")
SECRET = b"a secret of forty characters, more or less"


@define
class SetClock:
    """A clock that stands where it is put."""

    now: int = 1000

    def now_ms(self) -> int:
        return self.now

    def monotonic(self) -> float:
        return self.now / 1000


# Principals


def test_canonical_id_is_made_up_once() -> None:
    """A principal without a canonical id gets one of S3's form that depends on organisation and id alone."""
    made = Principal("alice", "acme").canonical_id
    assert len(made) == 64
    assert made == Principal("alice", "acme", "web", display_name="A").canonical_id
    assert made != Principal("alice", "other").canonical_id
    assert Principal("alice", canonical_id="given").canonical_id == "given"


def test_owner_is_what_records_say() -> None:
    """A principal's owner record has its id, canonical id and display name, the id standing in for the last."""
    assert ALICE.owner.principal_id == "alice"
    assert ALICE.owner.canonical_id == ALICE.canonical_id
    assert (ALICE.owner.display_name, BOB.owner.display_name) == ("Alice", "bob")


# Credentials in memory


def test_unknown_access_key_is_none() -> None:
    """An access key that nobody has finds nothing."""
    assert CredentialStore(SetClock()).find("AKNOBODY") is None


def test_expired_credential_is_not_found() -> None:
    """From its expiry on a credential is as good as absent."""
    clock = SetClock(1000)
    store = CredentialStore(clock, [Credential("AK", SECRET, ALICE, expires_at=2000)])
    assert store.find("AK") is not None
    clock.now = 2000
    assert store.find("AK") is None


def test_fixed_credential_wins_over_stored_one() -> None:
    """What the configuration says goes before what is stored under the same access key, and outlives its removal."""
    store = CredentialStore(SetClock(), [Credential("AK", b"configured", ALICE)])
    store.add(Credential("AK", b"stored", BOB))
    store.add(Credential("AK2", b"stored", BOB))
    found = store.find("AK")
    assert found is not None
    assert found.secret == b"configured"
    store.discard("AK")
    store.discard("AK2")
    assert store.find("AK") is found
    assert store.find("AK2") is None


def test_secret_is_not_in_repr() -> None:
    """Printing a credential, as a traceback may, does not print its secret."""
    assert "forty" not in repr(Credential("AK", SECRET, ALICE))


# Sealing


def test_sealed_secret_opens_only_as_it_was_sealed() -> None:
    """Another key, other associated data and every changed byte are refused; the right ones give the secret back."""
    seal, other = Seal(KEY, SystemEntropy()), Seal(bytes(32), SystemEntropy())
    blob = seal.seal(SECRET, b"alice")
    assert SECRET not in blob
    assert seal.open(blob, b"alice", "here") == SECRET
    with pytest.raises(BytesCorrupt, match="does not open"):
        seal.open(blob, b"bob", "here")
    with pytest.raises(BytesCorrupt, match="does not open"):
        other.open(blob, b"alice", "here")
    for index in range(len(blob)):
        changed = bytearray(blob)
        changed[index] ^= 1
        with pytest.raises(BytesCorrupt):
            seal.open(bytes(changed), b"alice", "here")


def test_same_secret_never_looks_the_same() -> None:
    """Sealing twice gives two different texts, so that equal secrets cannot be told."""
    seal = Seal(KEY, SystemEntropy())
    assert seal.seal(SECRET, b"") != seal.seal(SECRET, b"")


def test_seal_key_has_32_bytes() -> None:
    """A key of another length is refused when the seal is made."""
    with pytest.raises(ValueError, match="32 bytes, not 16"):
        Seal(bytes(16), SystemEntropy())


# Authorisation


OWN = Resource("acme", "web", "bucket", "key")


GET, DELETE_BUCKET, LIST_BUCKETS = (
    "lightningstor:objects:get",
    "lightningstor:buckets:delete",
    "lightningstor:buckets:list",
)
SHARED = Resource("acme", None, "shared")
ASKED = ("buckets:create", "buckets:get", "objects:get", "objects:put", "objects:list", "uploads:create", "iam:read")


async def allows(
    principal: Principal, action: str, resource: Resource, authorizer: EmbeddedAuthorizer | None = None
) -> bool:
    try:
        await (authorizer or EmbeddedAuthorizer()).authorize(principal, action, resource)
    except AccessDenied:
        return False
    return True


@pytest.mark.parametrize(
    ("principal", "action", "resource", "allowed"),
    [
        (Principal("root", admin=True), DELETE_BUCKET, Resource("acme", "web", "bucket"), True),
        (Principal("root", admin=True), "lightningstor:iam:manage", Resource("acme"), True),
        (ALICE, GET, OWN, True),
        (ALICE, DELETE_BUCKET, OWN, True),
        (ALICE, GET, SHARED, True),
        (ALICE, DELETE_BUCKET, SHARED, False),
        (ALICE, LIST_BUCKETS, Resource("acme", "web"), True),
        (ALICE, LIST_BUCKETS, Resource("acme"), False),
        (ALICE, GET, Resource("acme", "db", "bucket"), False),
        (ALICE, GET, Resource("other", "web", "bucket"), False),
        (BOB, DELETE_BUCKET, OWN, True),
        (BOB, GET, Resource("acme", "db", "bucket"), True),
        (BOB, LIST_BUCKETS, Resource("acme"), True),
        (BOB, GET, Resource("other", None, "bucket"), False),
        (BOB, "lightningstor:iam:manage", Resource("acme"), False),
    ],
)
async def test_scope_decides(principal: Principal, action: str, resource: Resource, allowed: bool) -> None:
    """An admin may do all; others everything in their organisation or project, and use what that shares."""
    assert await allows(principal, action, resource) == allowed


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        (Role.OWNER, {"buckets:create", "buckets:get", "objects:get", "objects:put", "objects:list", "uploads:create"}),
        (Role.WRITER, {"buckets:get", "objects:get", "objects:put", "objects:list", "uploads:create"}),
        (Role.READER, {"buckets:get", "objects:get", "objects:list"}),
        (Role.NONE, set()),
    ],
)
async def test_what_a_role_allows(role: Role, allowed: set[str]) -> None:
    """Owners do everything but manage identities; writers do not touch buckets; readers read; the last do nothing."""
    asked = (
        "buckets:create",
        "buckets:get",
        "objects:get",
        "objects:put",
        "objects:list",
        "uploads:create",
        "iam:read",
    )
    found = {name for name in asked if await allows(evolve(BOB, role=role), f"lightningstor:{name}", OWN)}
    assert found == allowed


def test_resource_path_is_the_specifications() -> None:
    """A resource's path is written as SPEC.md §7.3 has it, and its kind follows from what it names."""
    assert OWN.path == "org/acme/project/web/bucket/bucket/object/key"
    assert evolve(OWN, project_id=None, key=None).path == "org/acme/bucket/bucket"
    assert [r.kind for r in (OWN, Resource("acme", None, "b"), Resource("acme"))] == ["object", "bucket", "service"]
