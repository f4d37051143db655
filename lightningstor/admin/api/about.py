"""The caller, the daemon, its jobs."""

from __future__ import annotations

from lightningstor.admin.api.endpoint import AdminCall
from lightningstor.admin.api.shapes import JobInfo, JobList, ServerInfo, WhoAmI

__all__ = ["list_jobs", "server_info", "who_am_i"]


async def who_am_i(call: AdminCall) -> WhoAmI:
    """Whom the credentials stand for."""
    principal = call.principal
    return WhoAmI(
        id=principal.id,
        org=principal.org_id,
        project=principal.project_id,
        display_name=principal.display_name,
        canonical_id=principal.canonical_id,
        admin=principal.admin,
    )


async def server_info(call: AdminCall) -> ServerInfo:
    """Version, region and readiness."""
    reasons = call.services.readiness.reasons()
    return ServerInfo(version=call.services.version, region=call.services.region, ready=not reasons, reasons=reasons)


async def list_jobs(call: AdminCall) -> JobList:
    """What runs in the background."""
    return JobList(items=[JobInfo(name=job.name, state=job.state, period_s=job.period_s) for job in call.services.jobs])
