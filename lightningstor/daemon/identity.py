"""Who may use the store at start: root, the configured principals, and those that the store holds."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from lightningstor.config import DEV_ACCESS_KEY, DEV_SECRET_KEY, Config, PrincipalSettings
from lightningstor.daemon.datadir import DataDirectory, RootCredentials, new_root_credentials
from lightningstor.iam import Authorizer, Credential, CredentialStore, EmbeddedAuthorizer, Principal
from lightningstor.iam.callers import Callers
from lightningstor.iam.directory import ROOT_ID, Directory, DirectoryCallers, open_directory
from lightningstor.iam.limits import IamLimits
from lightningstor.iam.principal import Role
from lightningstor.iam.seal import SEAL_KEY_BYTES
from lightningstor.kv.api import Kv
from lightningstor.observe.logs import redactor
from lightningstor.ports import World

__all__ = ["ROOT", "Access", "Identity", "NoRootCredentials", "open_access", "prepare_identity"]

ROOT = Principal(id=ROOT_ID, display_name="root", admin=True)
"""The administrator that every store has; acts in organisation `default`."""


class NoRootCredentials(Exception):
    """There is nowhere to keep root credentials that nobody gave: the store is in memory."""


@frozen
class Identity:
    """What the daemon knows of credentials before the metadata store is open.

    Args:
        fixed: root and the configured principals.
        seal_key: for stored secrets.
        notice: what to say about root's credentials at start; never the secret.
    """

    fixed: tuple[Credential, ...]
    seal_key: bytes | None
    notice: str


def prepare_identity(config: Config, directory: DataDirectory | None, world: World) -> Identity:
    """Find or make root's credentials and the seal key. Blocks.

    Args:
        directory: None for a store in memory, which keeps nothing.

    Raises:
        NoRootCredentials: nobody gave any, and there is no directory to keep new ones in.
        BytesCorrupt: a file in the directory is not what it should be.
    """
    root, notice = _root_credentials(config, directory, world)
    fixed = (_credential(root, ROOT, world), *_configured(config, world))
    for credential in fixed:
        if credential.access_key_id != DEV_ACCESS_KEY:  # everybody knows that one
            redactor.register(credential.secret)
    if config.iam.seal_key is not None:
        seal_key: bytes | None = bytes.fromhex(config.iam.seal_key)
        redactor.register(config.iam.seal_key)
    else:
        seal_key = directory.seal_key(world.entropy) if directory is not None else None
        if seal_key is not None:
            redactor.register(seal_key.hex())
    if config.server.metrics_token is not None:
        redactor.register(config.server.metrics_token)
    return Identity(fixed, seal_key, notice)


def _root_credentials(config: Config, directory: DataDirectory | None, world: World) -> tuple[RootCredentials, str]:
    if config.server.dev:
        words = f"development mode: access key {DEV_ACCESS_KEY}, secret key {DEV_SECRET_KEY}"
        return RootCredentials(DEV_ACCESS_KEY, DEV_SECRET_KEY), words
    iam = config.iam
    if iam.root_access_key is not None and iam.root_secret_key is not None:
        return RootCredentials(iam.root_access_key, iam.root_secret_key), "root credentials come from the configuration"
    if directory is None:
        raise NoRootCredentials(
            "a store in memory has no place for root credentials: set LIGHTNINGSTOR_ROOT_ACCESS_KEY and"
            " LIGHTNINGSTOR_ROOT_SECRET_KEY, or use --dev"
        )
    stored = directory.read_root_credentials()
    if stored is not None:
        return stored, f"root credentials are in {directory.credentials_file}"
    made = new_root_credentials(world.entropy)
    directory.write_root_credentials(made)
    return made, f"made root credentials; they are in {directory.credentials_file}"


def _configured(config: Config, world: World) -> Iterator[Credential]:
    for settings in config.iam.principals:
        credentials = RootCredentials(settings.access_key, settings.secret_key)
        yield _credential(credentials, _principal(settings), world)


def _principal(settings: PrincipalSettings) -> Principal:
    return Principal(
        id=settings.id,
        org_id=settings.org,
        project_id=settings.project,
        canonical_id=settings.canonical_id or "",
        display_name=settings.display_name or "",
        email=settings.email or "",
        admin=settings.admin,
        role=Role(settings.role),
        groups=settings.groups,
    )


def _credential(keys: RootCredentials, principal: Principal, world: World) -> Credential:
    return Credential(keys.access_key, keys.secret_key.encode(), principal, created_at=world.clock.now_ms())


@frozen
class Access:
    """Who may use a running daemon, and for what: the same for every protocol.

    Args:
        credentials: the access keys of S3.
        directory: tenants and identities.
        callers: finds who brings a token, an API key or a certificate.
        authorizer: says who may do what.
    """

    credentials: CredentialStore
    directory: Directory
    callers: Callers
    authorizer: Authorizer


async def open_access(kv: Kv, identity: Identity, config: Config, world: World) -> Access:
    """Root, the configured principals, and what the metadata store holds of tenants and identities.

    Raises:
        BytesCorrupt: a record was made under another seal key, or changed since.
    """
    iam = config.iam
    limits = IamLimits(
        max_keys_per_principal=iam.max_keys_per_principal,
        max_grants=iam.max_grants,
        max_groups=iam.max_groups,
        max_token_ttl_s=iam.max_token_ttl_seconds,
    )
    # A store in memory has no place to keep a key in, and nothing that outlives the process.
    seal_key = identity.seal_key or world.entropy.token_bytes(SEAL_KEY_BYTES)
    credentials = CredentialStore(world.clock, identity.fixed)
    directory = await open_directory(kv, credentials, seal_key, world, limits)
    return Access(credentials, directory, DirectoryCallers(directory), EmbeddedAuthorizer(directory.view))
