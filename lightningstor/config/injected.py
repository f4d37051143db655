"""Variables that look like ours and are nobody's: what Kubernetes and Docker put into a container.

For a service or a linked container whose name begins with "lightningstor" they set {NAME}_SERVICE_HOST,
{NAME}_SERVICE_PORT[_{PORT NAME}], {NAME}_PORT=tcp://…, {NAME}_PORT_9000_TCP[_ADDR|_PORT|_PROTO],
{NAME}_NAME=/web/db and {NAME}_ENV_….
"""

__all__ = ["is_injected"]


def is_injected(name: str, value: str) -> bool:
    """Whether a variable that is no option of ours has such a name and value."""
    import re  # asked only about variables that are no options

    suffix = (
        r"_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO|START|END))?|ENV_\w+)"
    )
    if re.fullmatch(rf"LIGHTNINGSTOR(_[A-Z0-9_]+)?{suffix}", name):
        return True
    if name.endswith("_PORT") and re.match(r"(tcp|udp|sctp)://", value):
        return True
    return name.endswith("_NAME") and re.fullmatch(r"/[^/]+/[^/]+", value) is not None
