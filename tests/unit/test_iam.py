"""Principals, sealed credentials, and who may do what."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from attrs import define, evolve

from lightningstor.errors import AccessDenied, BytesCorrupt
from lightningstor.iam import (
    Credential,
    CredentialStore,
    EmbeddedAuthorizer,
    Principal,
    Resource,
    SealedCredentials,
)
from lightningstor.iam.seal import Seal
from lightningstor.kv.api import Put, Txn
from lightningstor.kv.memory import MemoryKv
from lightningstor.model import keys
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


def sealed(kv: MemoryKv, key: bytes = KEY) -> SealedCredentials:
    return SealedCredentials(kv, Seal(key, SystemEntropy()))


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


# Credentials in the metadata store


async def test_stored_credential_comes_back() -> None:
    """What was put is loaded with its secret, principal and times, in a store that shows no secret."""
    kv = MemoryKv()
    credential = Credential("AKALICE", SECRET, ALICE, created_at=5, expires_at=9)
    await sealed(kv).put(credential)
    assert await sealed(kv).load() == [credential]
    rows = await kv.scan(b"", b"\xff", 100)
    assert [row.key for row in rows] == [
        keys.credential("AKALICE"),
        keys.credential_of_principal("alice", "AKALICE"),
    ]
    assert not any(SECRET in row.value for row in rows)
    assert json.loads(rows[0].value)["v"] == 1


async def test_credential_is_replaced_with_its_index() -> None:
    """Putting an access key again replaces it, and moves its index when it goes to another principal."""
    kv = MemoryKv()
    await sealed(kv).put(Credential("AK", b"first secret", ALICE))
    await sealed(kv).put(Credential("AK", b"second secret", BOB))
    (loaded,) = await sealed(kv).load()
    assert (loaded.secret, loaded.principal) == (b"second secret", BOB)
    assert await kv.get(keys.credential_of_principal("alice", "AK")) is None
    assert await kv.get(keys.credential_of_principal("bob", "AK")) is not None


async def test_removed_credential_leaves_nothing() -> None:
    """Removing deletes record and index and says whether there was one."""
    kv = MemoryKv()
    await sealed(kv).put(Credential("AK", SECRET, ALICE))
    assert await sealed(kv).remove("AK")
    assert await kv.scan(b"", b"\xff", 10) == []
    assert not await sealed(kv).remove("AK")


async def test_wrong_seal_key_is_refused() -> None:
    """Under another key nothing loads: the error names the record and not the secret."""
    kv = MemoryKv()
    await sealed(kv).put(Credential("AK", SECRET, ALICE))
    with pytest.raises(BytesCorrupt, match="lightningstor/credentials/AK") as raised:
        await sealed(kv, bytes(32)).load()
    assert "forty" not in str(raised.value)


async def rewrite(kv: MemoryKv, source: str, target: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Put the changed record of one access key under another, as somebody who can write the metadata could."""
    row = await kv.get(keys.credential(source))
    assert row is not None
    record = json.loads(row.value)
    change(record)
    await kv.commit(Txn(puts=[Put(keys.credential(target), json.dumps(record, separators=(",", ":")).encode())]))


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record["principal"].update(admin=True),
        lambda record: record["principal"].update(org_id="other"),
        lambda record: record["principal"].update(project_id=None),
        lambda record: record["principal"].update(id="bob"),
        lambda record: record.update(expires_at=99999),
        lambda record: record.pop("expires_at"),
    ],
)
async def test_changed_record_is_refused(change: Callable[[dict[str, Any]], None]) -> None:
    """Whoever can write the metadata, but has not the key, cannot make a principal an admin, move it or let it live."""
    kv = MemoryKv()
    await sealed(kv).put(Credential("AK", SECRET, ALICE, expires_at=9))
    await rewrite(kv, "AK", "AK", change)
    with pytest.raises(BytesCorrupt, match="does not open"):
        await sealed(kv).load()


async def test_swapped_record_is_refused() -> None:
    """A record copied under another access key does not open, whatever name stands inside."""
    for inside in ("AK", "AKOTHER"):
        kv = MemoryKv()
        await sealed(kv).put(Credential("AK", SECRET, ALICE))
        await rewrite(kv, "AK", "AKOTHER", lambda record, inside=inside: record.update(access_key_id=inside))
        with pytest.raises(BytesCorrupt, match="AKOTHER"):
            await sealed(kv).load()


async def test_swapped_secret_is_refused() -> None:
    """A sealed secret moved into another principal's record does not open."""
    kv = MemoryKv()
    await sealed(kv).put(Credential("AK1", SECRET, ALICE))
    await sealed(kv).put(Credential("AK2", b"the secret of bob", BOB))
    row = await kv.get(keys.credential("AK1"))
    assert row is not None
    stolen = json.loads(row.value)["sealed"]
    await rewrite(kv, "AK2", "AK2", lambda record: record.update(sealed=stolen))
    with pytest.raises(BytesCorrupt, match="AK2"):
        await sealed(kv).load()


# Authorisation


OWN = Resource("acme", "web", "bucket", "key")


@pytest.mark.parametrize(
    ("principal", "resource", "allowed"),
    [
        (Principal("root", admin=True), Resource("acme", "web", "bucket"), True),
        (ALICE, OWN, True),
        (ALICE, Resource("acme", None, "shared"), True),
        (ALICE, Resource("acme"), True),
        (ALICE, Resource("acme", "db", "bucket"), False),
        (ALICE, Resource("other", "web", "bucket"), False),
        (BOB, OWN, True),
        (BOB, Resource("acme", "db", "bucket"), True),
        (BOB, Resource("other", None, "bucket"), False),
    ],
)
async def test_scope_decides(principal: Principal, resource: Resource, allowed: bool) -> None:
    """An admin may do all; others everything in their organisation and project, nothing elsewhere."""
    for action in ("lightningstor:objects:get", "lightningstor:buckets:delete"):
        if allowed:
            await EmbeddedAuthorizer().authorize(principal, action, resource)
        else:
            with pytest.raises(AccessDenied):
                await EmbeddedAuthorizer().authorize(principal, action, resource)


def test_resource_path_is_the_specifications() -> None:
    """A resource's path is written as SPEC.md §7.3 has it, and its kind follows from what it names."""
    assert OWN.path == "org/acme/project/web/bucket/bucket/object/key"
    assert evolve(OWN, project_id=None, key=None).path == "org/acme/bucket/bucket"
    assert [r.kind for r in (OWN, Resource("acme", None, "b"), Resource("acme"))] == ["object", "bucket", "service"]
