"""Option values: from TOML and from text to the types of the sections, and back."""

import ipaddress
import types
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import cattrs
from attrs import frozen

__all__ = ["Address", "converter", "expected_words", "parse_text", "parse_toml"]


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
            host = str(ipaddress.IPv6Address(host[1:-1]))
            sound = True
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
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def local(self) -> "Address":
        """The address by which a program on this machine reaches the listener."""
        try:
            address = ipaddress.ip_address(self.host)
        except ValueError:
            return self
        if not address.is_unspecified:
            return self
        return Address("127.0.0.1" if address.version == 4 else "::1", self.port)


def _strict_int(value: Any, _: Any) -> int:
    if type(value) is not int:
        raise ValueError(value)
    return value


def _strict_float(value: Any, _: Any) -> float:
    if type(value) not in (int, float) or value != value or value in (float("inf"), float("-inf")):
        raise ValueError(value)
    return float(value)


def _strict_bool(value: Any, _: Any) -> bool:
    if type(value) is not bool:
        raise ValueError(value)
    return value


def _strict_str(value: Any, _: Any) -> str:
    if type(value) is not str:
        raise ValueError(value)
    return value


def _address(value: Any, _: Any) -> Address:
    return Address.parse(_strict_str(value, str))


def _address_or_off(value: Any, _: Any) -> Address | None:
    return None if value == "off" else _address(value, Address)


def _path(value: Any, _: Any) -> Path:
    text = _strict_str(value, str)
    if not text or "\0" in text:
        raise ValueError(value)
    return Path(text).expanduser()


def _strings(value: Any, _: Any) -> tuple[str, ...]:
    if type(value) is not list or any(type(item) is not str for item in value):
        raise ValueError(value)
    return tuple(value)


def _make_converter() -> cattrs.Converter:
    """cattrs with hooks that never coerce: TOML has types, and a wrong one is a mistake to be told."""
    made = cattrs.Converter(detailed_validation=False, omit_if_default=False)
    made.register_structure_hook(int, _strict_int)
    made.register_structure_hook(float, _strict_float)
    made.register_structure_hook(bool, _strict_bool)
    made.register_structure_hook(str, _strict_str)
    made.register_structure_hook(Address, _address)
    made.register_structure_hook(Address | None, _address_or_off)
    made.register_structure_hook(Path, _path)
    made.register_structure_hook_func(lambda kind: bool(kind == tuple[str, ...]), _strings)
    made.register_unstructure_hook(Address, str)
    made.register_unstructure_hook(Address | None, lambda value: "off" if value is None else str(value))
    made.register_unstructure_hook(Path, str)
    return made


converter = _make_converter()
"""Sections to plain TOML values and back."""


def _without_none(kind: Any) -> Any:
    if get_origin(kind) in (Union, types.UnionType):
        return next(arg for arg in get_args(kind) if arg is not type(None))
    return kind


def expected_words(kind: Any) -> str:
    """What a value of the type looks like, for messages and the reference page."""
    if kind == Address | None:
        return 'an address such as "0.0.0.0:9000", "[::1]:9000" or ":0", or "off"'
    bare = _without_none(kind)
    if get_origin(bare) is Literal:
        return "one of " + ", ".join(f'"{choice}"' for choice in get_args(bare))
    words = {
        int: "an integer",
        float: "a number",
        bool: "true or false",
        str: "a string",
        Address: 'an address such as "0.0.0.0:9000", "[::1]:9000" or ":0"',
        Path: "a path",
        tuple[str, ...]: "a list of strings",
    }
    return words[bare]


def parse_toml(kind: Any, value: Any) -> Any:
    """A value of the type from one that TOML gave.

    Raises:
        ValueError: it is of another type or form.
    """
    try:
        return converter.structure(value, kind)
    except ValueError:
        raise
    except Exception as error:  # cattrs raises a bare Exception for a Literal that does not match
        raise ValueError(value) from error


_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})


def parse_text(kind: Any, text: str) -> Any:
    """A value of the type from a variable's or a flag's text; a list is separated by commas.

    Raises:
        ValueError: the text does not read as one.
    """
    bare = _without_none(kind)
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
