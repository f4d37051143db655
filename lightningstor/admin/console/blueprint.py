"""The console's routes, put together: each page module adds its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from quart import Blueprint, g

from lightningstor.admin.console.formats import count_text, size_text, time_text
from lightningstor.admin.console.guard import guard
from lightningstor.admin.console.pages import browse, buckets, login, object, orgs, overview, uploads, user_keys, users
from lightningstor.admin.console.problems import tell_problems
from lightningstor.admin.console.sessions import Sessions
from lightningstor.admin.services import AdminServices

__all__ = ["CONSOLE_PREFIX", "console_blueprint"]

CONSOLE_PREFIX: Final = "/console"
_HERE: Final = Path(__file__).parent


def console_blueprint(services: AdminServices) -> Blueprint:
    """Every page of the console."""
    blueprint = Blueprint(
        "console",
        __name__,
        url_prefix=CONSOLE_PREFIX,
        template_folder=str(_HERE / "templates"),
        static_folder=str(_HERE / "static"),
        static_url_path="/static",
    )
    sessions = Sessions(services.credentials, services.world, services.session_limits)
    guard(blueprint, sessions)
    tell_problems(blueprint)
    login.add_pages(blueprint, sessions)
    for subject in (overview, buckets, browse, object, uploads, users, user_keys, orgs):
        subject.add_pages(blueprint, services)

    @blueprint.context_processor
    async def everywhere() -> dict[str, Any]:
        """What every template may use."""
        return {"session": g.get("session"), "app_version": services.version}

    for text in (count_text, size_text, time_text):
        blueprint.add_app_template_filter(text)
    return blueprint
