"""Hooks for schemathesis: half of its calls are about things that exist, made for the call, so that they succeed.

It runs in an environment of its own, so it knows nothing of the store but its API. Without it nearly every call would
be about an organisation that nobody made, and no more than a 404 would be seen.
"""

from __future__ import annotations

import json
import os
import random
from itertools import count
from typing import Any
from urllib.request import Request, urlopen

import schemathesis

_API = os.environ["LIVING_API"]
_TOKEN = os.environ["LIVING_TOKEN"]
_BUCKET = os.environ["LIVING_BUCKET"]
_UPLOADS = json.loads(os.environ["LIVING_UPLOADS"])
_CHANCE = random.Random(int(os.environ["LIVING_SEED"]))
_NUMBERS = count(1)


def ask(method: str, path: str, body: object = None) -> Any:
    """Call the API; the answer."""
    content = None if body is None else json.dumps(body).encode()
    request = Request(_API + path, content, {"authorization": f"Bearer {_TOKEN}"}, method=method)
    with urlopen(request, timeout=30) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def make(variables: set[str]) -> dict[str, str]:
    """New things for the variables of a path."""
    number = next(_NUMBERS)
    made: dict[str, str] = {}
    if variables & {"org", "project", "group", "grant"}:
        made["org"] = ask("POST", "/orgs", {"id": f"org-{number}"})["id"]
    for kind in variables & {"project", "group"}:
        made[kind] = ask("POST", f"/orgs/{made['org']}/{kind}s", {"id": f"{kind}-{number}"})["id"]
    if "grant" in variables:
        made["grant"] = ask("POST", f"/orgs/{made['org']}/grants", {"statement": statement()})["id"]
    if "principal" in variables:
        made["principal"] = ask("POST", "/principals", {"id": f"user-{number}", "org": "default"})["id"]
    if "access_key" in variables:
        made["access_key"] = ask("POST", f"/principals/{made['principal']}/access-keys", {})["access_key"]
    if "api_key" in variables:
        made["api_key"] = ask("POST", f"/principals/{made['principal']}/api-keys", {})["id"]
    if "upload_id" in variables and _UPLOADS:
        return {"bucket": _BUCKET, "upload_id": _UPLOADS.pop()}
    if "bucket" in variables:
        made["bucket"] = ask("POST", "/buckets", {"name": f"bucket-{number}"})["name"]
    return made


def statement() -> dict[str, object]:
    """A statement that can be granted."""
    return {"effect": "Allow", "actions": ["s3:GetObject"], "resources": ["org/*"]}


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Half of the calls as they were drawn, half with names of what exists."""
    if _CHANCE.random() < 0.5:
        return
    drawn = case.path_parameters or {}
    if drawn:
        case.path_parameters = {**drawn, **make(set(drawn))}
    if "upload_id" in drawn:
        case.query = {"key": "held"}
    elif isinstance(case.query, dict):
        for name in ("org", "project"):
            case.query.pop(name, None)
    body = case.body
    if isinstance(body, dict):
        if isinstance(body.get("statement"), dict):
            case.body = body = {"statement": statement()}
        if "org" in body:
            body["org"] = "default"
        for name in ("project", "groups"):
            body.pop(name, None)
        if case.path.endswith("/buckets") and "name" in body:
            body["name"] = f"made-{next(_NUMBERS)}"
        if case.path.endswith("/tokens"):
            body["ttl_s"] = 60
