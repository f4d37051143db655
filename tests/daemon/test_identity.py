"""Root, the configured principals and the stored ones, as a starting daemon finds them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lightningstor.config import Config, IamSettings, PrincipalSettings, ServerSettings, StorageSettings
from lightningstor.daemon.datadir import DataDirectory, RootCredentials, open_data_directory
from lightningstor.daemon.identity import ROOT, NoRootCredentials, open_access, prepare_identity
from lightningstor.errors import BytesCorrupt
from lightningstor.iam import CredentialStore, Principal
from lightningstor.iam.directory import open_directory
from lightningstor.iam.principal import Role
from lightningstor.kv.memory import MemoryKv
from lightningstor.observe.logs import redactor
from lightningstor.ports import World

WORLD = World()


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[DataDirectory]:
    """An open data directory."""
    with open_data_directory(tmp_path / "data") as opened:
        yield opened


def test_root_of_the_configuration_overrides_the_stored_one(directory: DataDirectory) -> None:
    """Root credentials from environment or file go before those in the directory, which stay as they are."""
    stored = RootCredentials("STORED", "stored secret")
    directory.write_root_credentials(stored)
    iam = IamSettings(root_access_key="given", root_secret_key="given secret")
    (root,) = prepare_identity(Config(iam=iam), directory, WORLD).fixed
    assert (root.access_key_id, root.secret, root.principal) == ("given", b"given secret", ROOT)
    (root,) = prepare_identity(Config(), directory, WORLD).fixed
    assert (root.access_key_id, root.secret) == ("STORED", b"stored secret")
    assert directory.read_root_credentials() == stored


def test_root_is_an_admin_of_the_default_organisation() -> None:
    """Root may do everything, and acts in organisation `default`."""
    assert ROOT.admin
    assert (ROOT.org_id, ROOT.project_id) == ("default", None)


def test_root_credentials_are_made_once(directory: DataDirectory) -> None:
    """Without any, credentials are made and kept; the notice says where they are and not what they are."""
    first = prepare_identity(Config(), directory, WORLD)
    second = prepare_identity(Config(), directory, WORLD)
    assert first.fixed[0].secret == second.fixed[0].secret
    assert str(directory.credentials_file) in first.notice
    assert first.fixed[0].secret.decode() not in first.notice + second.notice


def test_store_in_memory_keeps_no_credentials() -> None:
    """Without a directory credentials must be given."""
    config = Config(storage=StorageSettings(backend="memory"))
    with pytest.raises(NoRootCredentials, match="LIGHTNINGSTOR_ROOT_ACCESS_KEY"):
        prepare_identity(config, None, WORLD)
    given = Config(iam=IamSettings(root_access_key="abc", root_secret_key="12345678"))
    assert prepare_identity(given, None, WORLD).fixed[0].access_key_id == "abc"


def test_development_credentials() -> None:
    """--dev has its well-known credentials, for root."""
    (root,) = prepare_identity(Config(server=ServerSettings(dev=True)), None, WORLD).fixed
    assert (root.access_key_id, root.secret, root.principal) == ("lightningstor", b"lightningstor-secret", ROOT)


def test_configured_principals(directory: DataDirectory) -> None:
    """[[iam.principals]] become principals with everything that was said of them."""
    alice = PrincipalSettings(
        id="alice",
        org="acme",
        project="web",
        canonical_id="c0ffee",
        display_name="Alice",
        email="alice@example.org",
        access_key="AKALICE",
        secret_key="secret of alice",
        role="reader",
        groups=("staff",),
    )
    bob = PrincipalSettings(id="bob", access_key="AKBOB", secret_key="secret of bob", admin=True)
    identity = prepare_identity(Config(iam=IamSettings(principals=(alice, bob))), directory, WORLD)
    _, first, second = identity.fixed
    assert first.principal == Principal(
        "alice", "acme", "web", "c0ffee", "Alice", "alice@example.org", False, Role.READER, ("staff",)
    )
    assert (first.access_key_id, first.secret) == ("AKALICE", b"secret of alice")
    assert second.principal == Principal("bob", admin=True)


def test_every_secret_is_hidden_from_the_log(directory: DataDirectory) -> None:
    """Root's secret, principals' secrets and the seal key are registered, so that no log line shows them."""
    alice = PrincipalSettings(id="alice", access_key="AKALICE", secret_key="wonderland-42")
    identity = prepare_identity(Config(iam=IamSettings(principals=(alice,))), directory, WORLD)
    assert identity.seal_key is not None
    for secret in (identity.fixed[0].secret.decode(), "wonderland-42", identity.seal_key.hex()):
        assert redactor.clean(f"x {secret} y") == "x [hidden] y"


def test_given_seal_key_is_used_and_not_kept(directory: DataDirectory) -> None:
    """A seal key from the configuration is used as it is, and none is made in the directory."""
    identity = prepare_identity(Config(iam=IamSettings(seal_key="ab" * 32)), directory, WORLD)
    assert identity.seal_key == b"\xab" * 32
    assert not directory.seal_key_file.exists()


async def test_stored_identities_are_loaded(directory: DataDirectory) -> None:
    """Access keys that the store holds work after a start, under the directory's seal key, beside the configured."""
    identity = prepare_identity(Config(), directory, WORLD)
    kv = MemoryKv()
    first = await open_access(kv, identity, Config(), WORLD)
    assert first.credentials.find(identity.fixed[0].access_key_id) is identity.fixed[0]
    await first.directory.principals.create("carol", org_id="default")
    issued = await first.directory.access_keys.create("carol")
    second = await open_access(kv, identity, Config(), WORLD)
    found = second.credentials.find(issued.record.id)
    assert found is not None
    assert (found.secret.decode(), found.principal.id) == (issued.secret, "carol")
    assert second.credentials.find(identity.fixed[0].access_key_id) is identity.fixed[0]


async def test_foreign_seal_key_stops_the_start(directory: DataDirectory) -> None:
    """A store whose identities were stored under another key does not start without them, silently."""
    kv = MemoryKv()
    other = await open_directory(kv, CredentialStore(WORLD.clock), bytes(32), WORLD)
    await other.principals.create("carol", org_id="default")
    identity = prepare_identity(Config(), directory, WORLD)
    with pytest.raises(BytesCorrupt, match="another seal key"):
        await open_access(kv, identity, Config(), WORLD)
