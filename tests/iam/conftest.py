"""A directory over a metadata store in memory, with a clock that stands still."""

from __future__ import annotations

import pytest
from attrs import define, field

from lightningstor.iam.credentials import Credential, CredentialStore
from lightningstor.iam.directory import Directory, DirectoryCallers, open_directory
from lightningstor.iam.limits import IamLimits
from lightningstor.iam.principal import Principal
from lightningstor.kv.api import Kv
from lightningstor.kv.memory import MemoryKv
from lightningstor.ports import World

SEAL_KEY = bytes(range(32))
ROOT = Principal("root", admin=True)
CONFIGURED = Principal("configured", "fixed-org", "fixed-project", groups=("fixed-group",))


@define
class SetClock:
    """A clock that stands where it is put."""

    now: int = 1_700_000_000_000

    def now_ms(self) -> int:
        return self.now

    def monotonic(self) -> float:
        return self.now / 1000


@define
class Place:
    """A directory and what it stands on."""

    kv: Kv
    clock: SetClock
    credentials: CredentialStore
    directory: Directory
    callers: DirectoryCallers = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.callers = DirectoryCallers(self.directory)

    async def reopened(self) -> Place:
        """The same after a restart."""
        return await open_place(self.kv, self.clock)


async def open_place(kv: Kv, clock: SetClock | None = None, limits: IamLimits | None = None) -> Place:
    clock = clock or SetClock()
    credentials = CredentialStore(
        clock, [Credential("AKROOT", b"root secret", ROOT), Credential("AKCONF", b"conf secret", CONFIGURED)]
    )
    directory = await open_directory(kv, credentials, SEAL_KEY, World(clock=clock), limits)
    return Place(kv, clock, credentials, directory)


@pytest.fixture
async def place() -> Place:
    """Organisation `acme` with project `web`, group `staff` and principal `alice`."""
    made = await open_place(MemoryKv())
    directory = made.directory
    await directory.organisations.create("acme")
    await directory.projects.create("acme", "web")
    await directory.groups.create("acme", "staff")
    await directory.principals.create("alice", org_id="acme", project_id="web", groups=("staff",))
    return made
