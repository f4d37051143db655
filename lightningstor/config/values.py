"""Option values: from TOML and from text to the types of the sections, and back."""

import types
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

from attrs import frozen

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

__all__ = ["Address", "expected_words", "parse_text", "parse_toml", "plain"]


def _ip_address(text: str) -> "IPv4Address | IPv6Address":
    from ipaddress import ip_address  # few addresses are looked at so closely, and it takes a while to import

    return ip_address(text)


@frozen
class Address:
    """Where to listen: a host name or IP address, and a port; port 0 takes any that is free."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read `host:port`, `[ipv6]:port` or `:port` (every interface).

        Raises:
            ValueError: the text has another form.
        """
        host, colon, port = text.strip().rpartition(":")
        if host.startswith("[") and host.endswith("]"):
            address = _ip_address(host[1:-1])
            host, sound = str(address), address.version == 6
        else:
            sound = not any(c in " \t:/[]@" for c in host)
        if not sound or not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535:
            raise ValueError(f"{text!r} is no address")
        return cls(host or "0.0.0.0", int(port))

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the address."""
        if self.host == "localhost":
            return True
        try:
            return _ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def local(self) -> "Address":
        """The address by which a program on this machine reaches the listener."""
        try:
            address = _ip_address(self.host)
        except ValueError:
            return self
        if not address.is_unspecified:
            return self
        return Address("127.0.0.1" if address.version == 4 else "::1", self.port)


def _exact(*kinds: type) -> Callable[[Any], Any]:
    """Takes values of these very types: TOML has types, and a wrong one is a mistake to be told, not to be mended."""

    def take(value: Any) -> Any:
        if type(value) not in kinds:
            raise ValueError(value)
        return value

    return take


_take_str = _exact(str)


def _take_number(value: Any) -> float:
    if type(value) not in (int, float) or value != value or value in (float("inf"), float("-inf")):
        raise ValueError(value)
    return float(value)


def _take_address(value: Any) -> Address:
    return Address.parse(_take_str(value))


def _take_address_or_off(value: Any) -> Address | None:
    return None if value == "off" else _take_address(value)


def _take_path(value: Any) -> Path:
    text = _take_str(value)
    if not text or "\0" in text:
        raise ValueError(value)
    return Path(text).expanduser()


def _take_strings(value: Any) -> tuple[str, ...]:
    if type(value) is not list or any(type(item) is not str for item in value):
        raise ValueError(value)
    return tuple(value)


_ADDRESS = 'an address such as "0.0.0.0:9000", "[::1]:9000" or ":0"'

# By type: how a value is taken from TOML, and what one looks like. (cattrs would do the first, for 10 ms of every
# start, but only with a hook of ours for each type, since it coerces.)
_KINDS: dict[Any, tuple[Callable[[Any], Any], str]] = {
    int: (_exact(int), "an integer"),
    float: (_take_number, "a number"),
    bool: (_exact(bool), "true or false"),
    str: (_take_str, "a string"),
    Path: (_take_path, "a path"),
    Address: (_take_address, _ADDRESS),
    Address | None: (_take_address_or_off, _ADDRESS + ', or "off"'),
    tuple[str, ...]: (_take_strings, "a list of strings"),
}


def _bare(kind: Any) -> Any:
    """The type without `| None`, which says that the option may be unset; an `Address | None` may be off instead."""
    if kind not in _KINDS and get_origin(kind) in (Union, types.UnionType):
        return next(arg for arg in get_args(kind) if arg is not type(None))
    return kind


def expected_words(kind: Any) -> str:
    """What a value of the type looks like, for messages and the reference page."""
    bare = _bare(kind)
    if get_origin(bare) is Literal:
        return "one of " + ", ".join(f'"{choice}"' for choice in get_args(bare))
    return _KINDS[bare][1]


def parse_toml(kind: Any, value: Any) -> Any:
    """A value of the type from one that TOML gave.

    Raises:
        ValueError: it is of another type or form.
    """
    bare = _bare(kind)
    if get_origin(bare) is Literal:
        if _take_str(value) not in get_args(bare):
            raise ValueError(value)
        return value
    return _KINDS[bare][0](value)


def plain(value: Any) -> Any:
    """What TOML has for a value of any of the types, but for None, which it has not."""
    if isinstance(value, Path | Address):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})


def parse_text(kind: Any, text: str) -> Any:
    """A value of the type from a variable's or a flag's text; a list is separated by commas.

    Raises:
        ValueError: the text does not read as one.
    """
    bare = _bare(kind)
    value: Any = text
    if bare is bool:
        lowered = text.lower()
        if lowered not in _TRUE | _FALSE:
            raise ValueError(text)
        value = lowered in _TRUE
    elif bare is int:
        if not text.isascii() or "_" in text:
            raise ValueError(text)
        value = int(text)
    elif bare is float:
        value = float(text)
    elif get_origin(bare) is tuple:
        value = [item.strip() for item in text.split(",") if item.strip()]
    return parse_toml(kind, value)
