"""Grants: statements attached to principals, groups and organisations."""

from __future__ import annotations

from lightningstor.admin.api.endpoint import AdminCall
from lightningstor.admin.api.iam_access import may_manage, may_read
from lightningstor.admin.api.iam_shapes import GrantInfo, GrantList
from lightningstor.admin.api.paging import page_of
from lightningstor.iam.records import Grant

__all__ = ["create_grant", "delete_grant", "list_grants"]


async def list_grants(call: AdminCall) -> GrantList:
    org = call.path["org"]
    await may_read(call, org)
    found = call.services.directory.grants.list(org, principal_id=call.query.principal, group_id=call.query.group)
    page, following = page_of(sorted(found, key=lambda one: one.id), call.query)
    return GrantList(items=[_info(one) for one in page], next=following)


async def create_grant(call: AdminCall) -> GrantInfo:
    org, wanted = call.path["org"], call.body
    await may_manage(call, org)
    return _info(
        await call.services.directory.grants.add(
            org, wanted.statement, principal_id=wanted.principal, group_id=wanted.group
        )
    )


async def delete_grant(call: AdminCall) -> None:
    await may_manage(call, call.path["org"])
    await call.services.directory.grants.remove(call.path["org"], call.path["grant"])


def _info(record: Grant) -> GrantInfo:
    return GrantInfo(
        id=record.id,
        org=record.org_id,
        statement=record.statement,
        principal=record.principal_id,
        group=record.group_id,
        created_at=record.created_at,
    )
