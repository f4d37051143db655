"""Tenants and identities: what can be made, changed and removed, and that it is exact and atomic."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import pytest
import trio

from lightningstor.errors import BytesCorrupt, CommitUndetermined, Unauthenticated
from lightningstor.iam.directory import Directory
from lightningstor.iam.errors import (
    EntityExists,
    EntityFixed,
    EntityInUse,
    IamLimitExceeded,
    InvalidEntity,
    MalformedPolicy,
    NoSuchEntity,
)
from lightningstor.iam.limits import IamLimits
from lightningstor.iam.principal import PrincipalKind, Role
from lightningstor.iam.statements import Statement
from lightningstor.kv.api import Put, Row, Txn
from lightningstor.kv.memory import MemoryKv
from lightningstor.model import iam_keys, keys
from lightningstor.testing.faulty_kv import Fault, FaultyKv
from tests.iam.conftest import Place, open_place

READ = Statement("Allow", ("lightningstor:objects:get",), ("org/acme/*",))


async def rows_of(place: Place) -> list[Row]:
    return await place.kv.scan(b"", b"\xff", 1000)


# Tenants


async def test_what_is_always_there(place: Place) -> None:
    """`default` and what the configuration names exist, are listed, and cannot be made or deleted."""
    directory = place.directory
    assert [one.id for one in directory.organisations.list()] == ["acme", "default", "fixed-org"]
    assert [one.id for one in directory.projects.list("fixed-org")] == ["fixed-project"]
    assert [one.id for one in directory.groups.list("fixed-org")] == ["fixed-group"]
    assert [one.id for one in directory.principals.list()] == ["alice", "configured", "root"]
    for made in (
        directory.organisations.create("default"),
        directory.projects.create("fixed-org", "fixed-project"),
        directory.groups.create("fixed-org", "fixed-group"),
        directory.principals.create("root", org_id="acme"),
    ):
        with pytest.raises(EntityExists):
            await made
    for gone in (
        directory.organisations.delete("default"),
        directory.projects.delete("fixed-org", "fixed-project"),
        directory.groups.delete("fixed-org", "fixed-group"),
        directory.principals.delete("configured"),
        directory.principals.update("root", admin=False),
    ):
        with pytest.raises(EntityFixed):
            await gone


async def test_what_is_in_use_stays(place: Place) -> None:
    """An organisation, project or group goes only when nothing belongs to it any longer."""
    directory = place.directory
    for refused in (
        directory.organisations.delete("acme"),
        directory.projects.delete("acme", "web"),
        directory.groups.delete("acme", "staff"),
    ):
        with pytest.raises(EntityInUse):
            await refused
    await directory.grants.add("acme", READ, group_id="staff")
    await directory.grants.add("acme", READ)
    await directory.principals.delete("alice")
    await directory.groups.delete("acme", "staff")
    assert len(directory.grants.list("acme")) == 1
    await directory.projects.delete("acme", "web")
    await directory.organisations.delete("acme")
    assert directory.grants.list("acme") == []
    assert [row.key for row in await place.kv.scan(iam_keys.IAM, keys.end_of(iam_keys.IAM), 100)] == []
    for absent in (
        directory.organisations.delete("acme"),
        directory.projects.delete("acme", "web"),
        directory.groups.delete("acme", "staff"),
        directory.principals.delete("alice"),
    ):
        with pytest.raises(NoSuchEntity):
            await absent


async def test_buckets_keep_their_organisation_and_project(place: Place) -> None:
    """An organisation or project with a bucket is not deleted."""
    await place.directory.principals.delete("alice")
    await place.kv.commit(Txn(puts=[Put(keys.bucket("acme", "web", "photos"), b"{}")]))
    with pytest.raises(EntityInUse, match="buckets"):
        await place.directory.projects.delete("acme", "web")
    with pytest.raises(EntityInUse, match="buckets"):
        await place.directory.organisations.delete("acme")


@pytest.mark.parametrize("bad", ["", "a/b", "a\0b", "-a", "a" * 129, "by-name", "a b", "é"])
async def test_ids_that_cannot_be(place: Place, bad: str) -> None:
    """An id that would be ambiguous in a key or a path is refused wherever one is given."""
    directory = place.directory
    for refused in (
        directory.organisations.create(bad),
        directory.projects.create("acme", bad),
        directory.groups.create("acme", bad),
        directory.principals.create(bad, org_id="acme"),
    ):
        with pytest.raises(InvalidEntity):
            await refused


async def test_nothing_belongs_to_what_is_not_there(place: Place) -> None:
    """A principal needs its organisation, project and groups; a grant its organisation, principal and group."""
    directory = place.directory
    for refused in (
        directory.projects.create("nowhere", "web"),
        directory.groups.create("nowhere", "staff"),
        directory.principals.create("bob", org_id="nowhere"),
        directory.principals.create("bob", org_id="acme", project_id="db"),
        directory.principals.create("bob", org_id="acme", groups=("board",)),
        directory.principals.update("alice", groups=("board",)),
        directory.access_keys.create("bob"),
        directory.api_keys.create("bob"),
        directory.tokens.revoke_all("bob"),
        directory.grants.add("nowhere", READ),
        directory.grants.add("acme", READ, principal_id="bob"),
        directory.grants.add("acme", READ, group_id="board"),
    ):
        with pytest.raises(NoSuchEntity):
            await refused


# Principals


async def test_principals_survive_a_restart(place: Place) -> None:
    """What was said of a principal is known again when the store is opened the next time."""
    directory = place.directory
    await directory.principals.create(
        "bot",
        org_id="acme",
        kind=PrincipalKind.SERVICE_ACCOUNT,
        role=Role.READER,
        canonical_id="c0ffee",
        display_name="Bot",
        email="bot@example.org",
        admin=True,
    )
    again = (await place.reopened()).directory
    assert again.principals.list() == directory.principals.list()
    bot = again.view.principals["bot"]
    assert (bot.role, bot.kind, bot.canonical_id, bot.admin) == (Role.READER, "service_account", "c0ffee", True)


async def test_an_update_counts_at_once(place: Place) -> None:
    """The next request of an access key acts for the principal as it is then; a disabled one has none."""
    issued = await place.directory.access_keys.create("alice")

    def acting() -> Role | None:
        found = place.credentials.find(issued.record.id)
        return None if found is None else found.principal.role

    assert acting() is Role.OWNER
    await place.directory.principals.update("alice", role=Role.READER, project_id=None)
    assert acting() is Role.READER
    assert place.directory.view.principals["alice"].project_id is None
    await place.directory.principals.update("alice", disabled=True)
    assert acting() is None
    await place.directory.principals.update("alice", disabled=False)
    assert acting() is Role.READER


async def test_limits_go_with_their_tenant(place: Place) -> None:
    """In the transaction that deletes it: no crash leaves them to a later tenant of the name."""
    directory = place.directory
    kv = FaultyKv(place.kv)
    directory.ledger.kv = kv
    await directory.organisations.create("short-lived")
    await directory.projects.create("short-lived", "web")
    limits = [keys.quota("short-lived", "web"), keys.quota("short-lived", None)]
    await place.kv.commit(Txn(puts=[Put(key, b"{}") for key in limits]))
    made = kv.commits
    await directory.projects.delete("short-lived", "web")
    await directory.organisations.delete("short-lived")
    assert kv.commits == made + 2
    assert not {row.key for row in await rows_of(place)} & set(limits)


async def test_a_deleted_principal_takes_everything_along(place: Place) -> None:
    """Keys, tokens and grants go with their principal, in one transaction; a namesake made later inherits nothing."""
    directory = place.directory
    access_key = await directory.access_keys.create("alice")
    api_key = await directory.api_keys.create("alice")
    token = directory.tokens.issue("alice", ttl_s=60)
    await directory.grants.add("acme", READ, principal_id="alice")
    await directory.grants.add("fixed-org", READ, principal_id="alice")
    before = len(await rows_of(place))
    kv = FaultyKv(place.kv)
    directory.ledger.kv = kv
    await directory.principals.delete("alice")
    assert kv.commits == 1
    assert len(await rows_of(place)) == before - 6  # with the index of its access key
    await directory.principals.create("alice", org_id="acme")
    for now in (place, await place.reopened()):
        assert now.credentials.find(access_key.record.id) is None
        assert now.directory.grants.list("acme") == now.directory.grants.list("fixed-org") == []
        for refused in (lambda now=now: now.callers.by_api_key(api_key.key), lambda: place.callers.by_bearer(token)):
            with pytest.raises(Unauthenticated):
                refused()


# Keys and tokens


async def test_access_key_shows_its_secret_once(place: Place) -> None:
    """The secret is given to whoever makes the key; no row and no `repr` shows it, and S3 knows it at once."""
    issued = await place.directory.access_keys.create("alice")
    found = place.credentials.find(issued.record.id)
    assert found is not None
    assert found.secret.decode() == issued.secret
    assert issued.secret not in repr(issued)
    assert not any(issued.secret.encode() in row.value for row in await rows_of(place))
    assert place.directory.access_keys.list("alice") == [issued.record]


async def test_access_key_rotates(place: Place) -> None:
    """A rotated key gives way to a new one: at once, or when the grace is over, but never later than it would have."""
    keys_of = place.directory.access_keys
    first = await keys_of.create("alice")
    second = await keys_of.rotate(first.record.id)
    assert [one.id for one in keys_of.list("alice")] == [second.record.id]
    third = await keys_of.rotate(second.record.id, grace_ms=5000)
    again = await place.reopened()
    for now in (place, again):
        assert now.credentials.find(second.record.id) is not None
        assert now.credentials.find(third.record.id) is not None
    fourth = await keys_of.rotate(second.record.id, grace_ms=9000)
    place.clock.now += 5000
    for now in (place, again):
        assert now.credentials.find(second.record.id) is None
    assert place.credentials.find(fourth.record.id) is not None


async def test_access_key_expires_and_is_revoked(place: Place) -> None:
    """A key ends at its moment, or when it is revoked, whichever comes first."""
    keys_of = place.directory.access_keys
    issued = await keys_of.create("alice", expires_at=place.clock.now + 10)
    await keys_of.expire(issued.record.id, place.clock.now + 20)
    place.clock.now += 19
    assert place.credentials.find(issued.record.id) is not None
    place.clock.now += 1
    assert place.credentials.find(issued.record.id) is None
    await keys_of.expire(issued.record.id, None)
    assert place.credentials.find(issued.record.id) is not None
    await keys_of.revoke(issued.record.id)
    assert place.credentials.find(issued.record.id) is None
    with pytest.raises(NoSuchEntity):
        await keys_of.revoke(issued.record.id)
    with pytest.raises(InvalidEntity, match="already"):
        await keys_of.create("alice", expires_at=place.clock.now)


async def test_api_keys(place: Place) -> None:
    """An API key stands for its principal until it expires or is revoked; only a hash of it is kept."""
    api_keys = place.directory.api_keys
    issued = await api_keys.create("alice", name="ci", expires_at=place.clock.now + 10)
    assert place.callers.by_api_key(issued.key).id == "alice"
    secret = issued.key.rpartition("_")[2]
    assert not any(secret.encode() in row.value for row in await rows_of(place))
    assert secret not in repr(issued)
    for wrong in ("", "lsk", "lsk_", issued.key[:-1], issued.key + "a", "lsx" + issued.key[3:], "lsk__é\udc80", secret):
        with pytest.raises(Unauthenticated):
            place.callers.by_api_key(wrong)
    place.clock.now += 10
    with pytest.raises(Unauthenticated, match="expired"):
        place.callers.by_api_key(issued.key)
    other = await api_keys.create("configured")
    assert place.callers.by_api_key(other.key).id == "configured"
    await api_keys.revoke(other.record.id)
    with pytest.raises(Unauthenticated):
        place.callers.by_api_key(other.key)


async def test_bearer_tokens(place: Place) -> None:
    """A token stands for its principal, for its audience, for its time, over restarts, and until it is revoked."""
    tokens = place.directory.tokens
    token = tokens.issue("alice", ttl_s=10)
    root = tokens.issue("root", ttl_s=100)
    elsewhere = tokens.issue("alice", ttl_s=100, audience="elsewhere")
    again = await place.reopened()
    for now in (place, again):
        assert now.callers.by_bearer(token).id == "alice"
        assert now.callers.by_bearer(root).admin
        with pytest.raises(Unauthenticated, match="elsewhere"):
            now.callers.by_bearer(elsewhere)
    await tokens.revoke_all("alice")
    with pytest.raises(Unauthenticated, match="revoked"):
        place.callers.by_bearer(token)
    fresh = tokens.issue("alice", ttl_s=10)
    assert place.callers.by_bearer(fresh).id == "alice"
    await tokens.revoke_all("root")
    for now in (place, await place.reopened()):
        with pytest.raises(Unauthenticated, match="revoked"):
            now.callers.by_bearer(root)
    place.clock.now += 10_000
    with pytest.raises(Unauthenticated, match="expired"):
        place.callers.by_bearer(fresh)
    for ttl_s in (0, -1, 604_801):
        with pytest.raises(InvalidEntity):
            tokens.issue("alice", ttl_s=ttl_s)
    with pytest.raises(NoSuchEntity):
        tokens.issue("nobody", ttl_s=1)


async def test_no_changed_token_is_taken(place: Place) -> None:
    """A change of any character of a token, or anything else, is refused as unauthenticated."""
    token = place.directory.tokens.issue("alice", ttl_s=10)
    others = [token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :] for at in range(len(token))]
    for wrong in (*others, "", ".", "..", "lst1..", "x" * 5000, "lst1.é.x", token + "=", token + "."):
        with pytest.raises(Unauthenticated):
            place.callers.by_bearer(wrong)


async def test_certificates(place: Place) -> None:
    """A certificate stands for the one principal that it names; never for root."""
    assert place.callers.by_certificate(["alice", "alice.example", "alice"]).id == "alice"
    for names in ([], ["nobody"], ["alice", "configured"], ["root"]):
        with pytest.raises(Unauthenticated):
            place.callers.by_certificate(names)


async def test_limits() -> None:
    """Keys, groups and grants are bounded, each by its setting."""
    place = await open_place(MemoryKv(), limits=IamLimits(2, 1, 0, 10))
    directory = place.directory
    await directory.principals.create("alice", org_id="default")
    await directory.access_keys.create("alice")
    await directory.api_keys.create("alice")
    await directory.groups.create("default", "staff")
    await directory.grants.add("default", READ, principal_id="alice")
    for refused in (
        directory.access_keys.create("alice"),
        directory.api_keys.create("alice"),
        directory.principals.update("alice", groups=("staff",)),
        directory.grants.add("default", READ, principal_id="alice"),
    ):
        with pytest.raises(IamLimitExceeded):
            await refused
    await directory.grants.add("default", READ)
    with pytest.raises(IamLimitExceeded):
        await directory.grants.add("default", READ)
    with pytest.raises(InvalidEntity):
        directory.tokens.issue("alice", ttl_s=11)


@pytest.mark.parametrize(
    "statement",
    [
        Statement("Maybe", ("*",), ("*",)),
        Statement("Allow", (), ("*",)),
        Statement("Allow", ("*",), ()),
        Statement("Allow", ("*",), ("*",), not_actions=("*",)),
        Statement("Allow", ("objects:get",), ("*",)),
        Statement("Allow", ("*",), ("bucket/photos",)),
        Statement("Allow", ("*",), ("org/acme/photos",)),
        Statement("Allow", ("*",), ("arn:aws:s3:::${aws:username}",)),
        Statement("Allow", ("*",), ("*",), principals=("alice",)),
        Statement("Deny", ("*",), ("*",), conditions={"StringSounds": {"s3:prefix": ("a",)}}),
        Statement("Deny", ("*",), ("*",), conditions={"IpAddress": {"aws:SourceIp": ("home",)}}),
        Statement("Deny", ("*",), ("*",), conditions={"DateLessThan": {"aws:CurrentTime": ("soon",)}}),
        Statement("Deny", ("*",), ("*",), conditions={"Bool": {"aws:SecureTransport": ()}}),
        Statement("Allow", ("s3:*",) * 201, ("*",)),
    ],
)
async def test_a_statement_that_is_not_understood_is_not_stored(place: Place, statement: Statement) -> None:
    """Nothing of a statement is taken and ignored."""
    with pytest.raises(MalformedPolicy):
        await place.directory.grants.add("acme", statement)
    assert place.directory.grants.list("acme") == []


# What whoever can write the metadata cannot do


async def test_no_row_can_be_changed_or_moved(place: Place) -> None:
    """A record that was edited, or copied under another name, stops the start and is named."""
    directory = place.directory
    await directory.access_keys.create("alice", expires_at=place.clock.now + 10)
    await directory.api_keys.create("alice")
    await directory.grants.add("acme", READ, principal_id="alice")
    await directory.tokens.revoke_all("root")
    rows = [row for row in await rows_of(place) if b"/members/" not in row.key and b"by-principal" not in row.key]
    assert len(rows) == 8
    for row in rows:
        changed = json.loads(row.value)
        changed["record"]["created_at" if b"/epochs/" not in row.key else "epoch"] = 1
        compact = json.dumps(changed, separators=(",", ":")).encode()
        for key, value in ((row.key, compact), (row.key + b"2", row.value)):
            kv = MemoryKv()
            await kv.commit(Txn(puts=[Put(key, value)]))
            with pytest.raises(BytesCorrupt, match="another seal key"):
                await open_place(kv, place.clock)


# Cancellation, failures, races


Operation = Callable[[Directory], Awaitable[object]]
CHANGES: list[Operation] = [
    lambda directory: directory.organisations.create("other"),
    lambda directory: directory.principals.create("bob", org_id="acme"),
    lambda directory: directory.principals.delete("alice"),
    lambda directory: directory.principals.update("alice", role=Role.NONE),
    lambda directory: directory.access_keys.create("alice"),
    lambda directory: directory.tokens.revoke_all("alice"),
    lambda directory: directory.grants.add("acme", READ),
]


def known(directory: Directory) -> tuple[object, ...]:
    """All that a view says."""
    view = directory.view
    return (view.organisations, view.stored, view.access_keys, view.api_keys, view.grants, view.epochs, view.revisions)


@pytest.mark.parametrize("operation", CHANGES)
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_cancelled_change_has_happened_or_not(place: Place, operation: Operation, when: str) -> None:
    """Cancelled before the commit nothing has changed; cancelled in it, all has: in the view as in the store."""
    rows = await rows_of(place)

    async def cancel(number: int, txn: Txn) -> None:
        scope.cancel()
        if when == "before":
            await trio.lowlevel.checkpoint()

    place.directory.ledger.kv = FaultyKv(place.kv, **{when: cancel})
    with trio.CancelScope() as scope:
        await operation(place.directory)
    assert scope.cancelled_caught == (when == "before")
    assert (await rows_of(place) == rows) == (when == "before")
    assert known(place.directory) == known((await place.reopened()).directory)
    place.directory.ledger.kv = place.kv
    await place.directory.organisations.create("next")  # the turn was given back


@pytest.mark.parametrize("operation", CHANGES)
@pytest.mark.parametrize("fault", [Fault.UNDETERMINED_APPLIED, Fault.UNDETERMINED_LOST])
async def test_after_a_failed_device_the_view_is_what_can_be_read(
    place: Place, operation: Operation, fault: Fault
) -> None:
    """Whether a commit took effect or not, requests are decided by what the store then holds."""
    place.directory.ledger.kv = FaultyKv(place.kv, {1: fault})
    with pytest.raises(CommitUndetermined):
        await operation(place.directory)
    assert known(place.directory) == known((await place.reopened()).directory)


async def test_another_writer_is_noticed(place: Place) -> None:
    """A change over a row that another process has changed meanwhile begins again with what is there now."""
    other = await place.reopened()
    await other.directory.principals.update("alice", role=Role.READER)
    await place.directory.principals.update("alice", email="alice@example.org")
    alice = place.directory.principals.get("alice")
    assert (alice.role, alice.email) == (Role.READER, "alice@example.org")
    await other.directory.organisations.create("second")
    with pytest.raises(EntityExists):
        await place.directory.organisations.create("second")


async def test_joining_against_deleting(place: Place) -> None:
    """Whoever joins an organisation while another process deletes it: one of the two fails, never neither."""
    await place.directory.organisations.create("fleeting")
    other = await place.reopened()

    async def join(number: int, txn: Txn) -> None:
        kv.before = None
        await other.directory.principals.create("bob", org_id="fleeting")

    kv = FaultyKv(place.kv, before=join)
    place.directory.ledger.kv = kv
    with pytest.raises(EntityInUse):
        await place.directory.organisations.delete("fleeting")
    await other.directory.principals.delete("bob")
    await place.directory.reload()
    await place.directory.organisations.delete("fleeting")
    with pytest.raises(NoSuchEntity):
        await other.directory.principals.create("bob", org_id="fleeting")
