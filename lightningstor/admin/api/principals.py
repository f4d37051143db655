"""Users and service accounts, their access keys, API keys and bearer tokens."""

from __future__ import annotations

from msgspec import UNSET

from lightningstor.admin.api import iam_shapes as shapes
from lightningstor.admin.api.endpoint import AdminCall
from lightningstor.admin.api.iam_access import managed_principal, may_manage, may_read, refuse_making_admin
from lightningstor.admin.api.paging import page_of
from lightningstor.iam import access_keys, api_keys
from lightningstor.iam.errors import NoSuchEntity
from lightningstor.iam.principal import PrincipalKind, Role
from lightningstor.iam.principals import UNCHANGED
from lightningstor.iam.records import AccessKey, ApiKey, StoredPrincipal

__all__ = [
    "change_access_key",
    "change_principal",
    "create_access_key",
    "create_api_key",
    "create_principal",
    "delete_access_key",
    "delete_api_key",
    "delete_principal",
    "get_principal",
    "issue_token",
    "list_access_keys",
    "list_api_keys",
    "list_principals",
    "revoke_tokens",
    "rotate_access_key",
]


async def list_principals(call: AdminCall) -> shapes.PrincipalList:
    org = call.query.org
    if org is None and not call.principal.admin:
        org = call.principal.org_id
    if org is not None:
        await may_read(call, org)
    page, following = page_of(call.services.directory.principals.list(org), call.query)
    return shapes.PrincipalList(items=[_info(call, one) for one in page], next=following)


async def create_principal(call: AdminCall) -> shapes.PrincipalInfo:
    wanted = call.body
    await may_manage(call, wanted.org)
    if wanted.admin:
        refuse_making_admin(call)
    made = await call.services.directory.principals.create(
        wanted.id,
        org_id=wanted.org,
        project_id=wanted.project,
        kind=PrincipalKind(wanted.kind),
        role=Role(wanted.role),
        groups=wanted.groups,
        canonical_id=wanted.canonical_id,
        display_name=wanted.display_name,
        email=wanted.email,
        admin=wanted.admin,
    )
    return _info(call, made)


async def get_principal(call: AdminCall) -> shapes.PrincipalInfo:
    if call.path["principal"] == call.principal.id:
        return _info(call, call.services.directory.principals.get(call.principal.id))
    return _info(call, await managed_principal(call))


async def change_principal(call: AdminCall) -> shapes.PrincipalInfo:
    found, change = await managed_principal(call), call.body
    if change.admin:
        refuse_making_admin(call)
    changed = await call.services.directory.principals.update(
        found.id,
        role=None if change.role is None else Role(change.role),
        groups=None if change.groups is None else tuple(change.groups),
        display_name=change.display_name,
        email=change.email,
        admin=change.admin,
        disabled=change.disabled,
        project_id=UNCHANGED if change.project is UNSET else change.project,
    )
    return _info(call, changed)


async def delete_principal(call: AdminCall) -> None:
    found = await managed_principal(call)
    await call.services.directory.principals.delete(found.id)


async def list_access_keys(call: AdminCall) -> shapes.AccessKeyList:
    principal = await _own_or_managed(call)
    keys = call.services.directory.access_keys.list(principal)
    return shapes.AccessKeyList(items=[_access_key(one) for one in keys])


async def create_access_key(call: AdminCall) -> shapes.IssuedAccessKey:
    principal = await _own_or_managed(call)
    issued = await call.services.directory.access_keys.create(principal, expires_at=call.body.expires_at)
    return _issued(issued)


async def rotate_access_key(call: AdminCall) -> shapes.IssuedAccessKey:
    key = await _access_key_of(call)
    return _issued(await call.services.directory.access_keys.rotate(key, grace_ms=call.body.grace_ms))


async def change_access_key(call: AdminCall) -> shapes.AccessKeyInfo:
    key = await _access_key_of(call)
    return _access_key(await call.services.directory.access_keys.expire(key, call.body.expires_at))


async def delete_access_key(call: AdminCall) -> None:
    await call.services.directory.access_keys.revoke(await _access_key_of(call))


async def list_api_keys(call: AdminCall) -> shapes.ApiKeyList:
    principal = await _own_or_managed(call)
    return shapes.ApiKeyList(items=[_api_key(one) for one in call.services.directory.api_keys.list(principal)])


async def create_api_key(call: AdminCall) -> shapes.IssuedApiKey:
    principal, wanted = await _own_or_managed(call), call.body
    issued = await call.services.directory.api_keys.create(principal, name=wanted.name, expires_at=wanted.expires_at)
    return _issued_api_key(issued)


async def delete_api_key(call: AdminCall) -> None:
    principal, key = await _own_or_managed(call), call.path["api_key"]
    if call.services.directory.api_keys.get(key).principal_id != principal:
        raise NoSuchEntity("API key", key)
    await call.services.directory.api_keys.revoke(key)


async def issue_token(call: AdminCall) -> shapes.IssuedToken:
    principal = await _own_or_managed(call)
    token = call.services.directory.tokens.issue(principal, ttl_s=call.body.ttl_s)
    return shapes.IssuedToken(token=token, principal=principal)


async def revoke_tokens(call: AdminCall) -> None:
    await call.services.directory.tokens.revoke_all(await _own_or_managed(call))


async def _own_or_managed(call: AdminCall) -> str:
    """The principal that the path names: the caller itself, or one that it may change."""
    if call.path["principal"] == call.principal.id:
        return call.principal.id
    return (await managed_principal(call)).id


async def _access_key_of(call: AdminCall) -> str:
    """The access key that the path names, which belongs to the principal that it names."""
    principal, key = await _own_or_managed(call), call.path["access_key"]
    if call.services.directory.access_keys.get(key).principal_id != principal:
        raise NoSuchEntity("access key", key)
    return key


def _info(call: AdminCall, record: StoredPrincipal) -> shapes.PrincipalInfo:
    return shapes.PrincipalInfo(
        id=record.id,
        org=record.org_id,
        project=record.project_id,
        kind=record.kind.value,
        role=record.role.value,
        groups=list(record.groups),
        canonical_id=record.canonical_id,
        display_name=record.display_name,
        email=record.email,
        admin=record.admin,
        disabled=record.disabled,
        fixed=record.id in call.services.directory.view.fixed,
        created_at=record.created_at,
    )


def _access_key(record: AccessKey) -> shapes.AccessKeyInfo:
    return shapes.AccessKeyInfo(
        access_key=record.id,
        principal=record.principal_id,
        created_at=record.created_at,
        expires_at=record.expires_at,
    )


def _issued(issued: access_keys.IssuedAccessKey) -> shapes.IssuedAccessKey:
    record = issued.record
    return shapes.IssuedAccessKey(
        access_key=record.id,
        principal=record.principal_id,
        created_at=record.created_at,
        expires_at=record.expires_at,
        secret_key=issued.secret,
    )


def _api_key(record: ApiKey) -> shapes.ApiKeyInfo:
    return shapes.ApiKeyInfo(
        id=record.id,
        principal=record.principal_id,
        name=record.name,
        created_at=record.created_at,
        expires_at=record.expires_at,
    )


def _issued_api_key(issued: api_keys.IssuedApiKey) -> shapes.IssuedApiKey:
    record = issued.record
    return shapes.IssuedApiKey(
        id=record.id,
        principal=record.principal_id,
        name=record.name,
        created_at=record.created_at,
        expires_at=record.expires_at,
        key=issued.key,
    )
