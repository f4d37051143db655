"""Organisations, their projects and groups."""

from __future__ import annotations

from lightningstor.admin.api.endpoint import AdminCall
from lightningstor.admin.api.iam_access import may_manage, may_read
from lightningstor.admin.api.iam_shapes import GroupInfo, GroupList, OrgInfo, OrgList, ProjectInfo, ProjectList
from lightningstor.admin.api.paging import page_of
from lightningstor.iam.records import Group, Organisation, Project

__all__ = [
    "create_group",
    "create_org",
    "create_project",
    "delete_group",
    "delete_org",
    "delete_project",
    "get_group",
    "get_org",
    "get_project",
    "list_groups",
    "list_orgs",
    "list_projects",
]


async def list_orgs(call: AdminCall) -> OrgList:
    page, following = page_of(call.services.directory.organisations.list(), call.query)
    return OrgList(items=[_org(one) for one in page], next=following)


async def create_org(call: AdminCall) -> OrgInfo:
    wanted = call.body
    return _org(await call.services.directory.organisations.create(wanted.id, wanted.display_name))


async def get_org(call: AdminCall) -> OrgInfo:
    await may_read(call, call.path["org"])
    return _org(call.services.directory.organisations.get(call.path["org"]))


async def delete_org(call: AdminCall) -> None:
    await call.services.tenants.delete_organisation(call.path["org"])


async def list_projects(call: AdminCall) -> ProjectList:
    await may_read(call, call.path["org"])
    page, following = page_of(call.services.directory.projects.list(call.path["org"]), call.query)
    return ProjectList(items=[_project(one) for one in page], next=following)


async def create_project(call: AdminCall) -> ProjectInfo:
    await may_manage(call, call.path["org"])
    wanted = call.body
    return _project(await call.services.directory.projects.create(call.path["org"], wanted.id, wanted.display_name))


async def get_project(call: AdminCall) -> ProjectInfo:
    await may_read(call, call.path["org"])
    return _project(call.services.directory.projects.get(call.path["org"], call.path["project"]))


async def delete_project(call: AdminCall) -> None:
    await may_manage(call, call.path["org"])
    await call.services.tenants.delete_project(call.path["org"], call.path["project"])


async def list_groups(call: AdminCall) -> GroupList:
    await may_read(call, call.path["org"])
    page, following = page_of(call.services.directory.groups.list(call.path["org"]), call.query)
    return GroupList(items=[_group(call, one) for one in page], next=following)


async def create_group(call: AdminCall) -> GroupInfo:
    await may_manage(call, call.path["org"])
    wanted = call.body
    made = await call.services.directory.groups.create(call.path["org"], wanted.id, wanted.display_name)
    return _group(call, made)


async def get_group(call: AdminCall) -> GroupInfo:
    await may_read(call, call.path["org"])
    return _group(call, call.services.directory.groups.get(call.path["org"], call.path["group"]))


async def delete_group(call: AdminCall) -> None:
    await may_manage(call, call.path["org"])
    await call.services.directory.groups.delete(call.path["org"], call.path["group"])


def _org(record: Organisation) -> OrgInfo:
    return OrgInfo(id=record.id, display_name=record.display_name, created_at=record.created_at)


def _project(record: Project) -> ProjectInfo:
    return ProjectInfo(org=record.org_id, id=record.id, display_name=record.display_name, created_at=record.created_at)


def _group(call: AdminCall, record: Group) -> GroupInfo:
    return GroupInfo(
        org=record.org_id,
        id=record.id,
        display_name=record.display_name,
        created_at=record.created_at,
        members=call.services.directory.groups.members(record.org_id, record.id),
    )
