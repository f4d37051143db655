"""The access keys of a user; for administrators."""

from __future__ import annotations

from quart import Blueprint, redirect, url_for
from quart.typing import ResponseReturnValue

from lightningstor.admin.console.access import require_admin
from lightningstor.admin.console.guard import current_session
from lightningstor.admin.noting import note_made
from lightningstor.admin.services import AdminServices
from lightningstor.iam.errors import NoSuchEntity

__all__ = ["add_pages"]


def add_pages(blueprint: Blueprint, services: AdminServices) -> None:
    """Make and revoke."""
    directory = services.directory

    @blueprint.post("/users/<user>/keys")
    async def user_key_create(user: str) -> ResponseReturnValue:
        """Make a key; the next page shows its secret, and no page after that."""
        require_admin()
        issued = await directory.access_keys.create(user)
        note_made(issued.record.id)
        current_session().shown_once = issued.record.id, issued.secret
        return redirect(url_for("console.user_page", user=user), 303)

    @blueprint.post("/users/<user>/keys/<access_key>/revoke")
    async def user_key_revoke(user: str, access_key: str) -> ResponseReturnValue:
        require_admin()
        if directory.access_keys.get(access_key).principal_id != user:
            raise NoSuchEntity("access key", access_key)
        await directory.access_keys.revoke(access_key)
        return redirect(url_for("console.user_page", user=user), 303)
