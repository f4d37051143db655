"""Which address a request came from, where proxies stand between us and the client."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

__all__ = ["ClientAddresses"]

_KEPT = 4096


class ClientAddresses:
    """Tells clients' addresses, trusting X-Forwarded-For only as far as trusted proxies wrote it.

    Each proxy adds whom it heard from at the right end. So the chain is read from there, and the first address that is
    no trusted proxy's is the client's: what stands left of it, anybody may have made up.

    Args:
        trusted: networks or addresses of the proxies, such as "10.0.0.0/8".

    Attributes:
        trusts: there are any; without, the peer is the client.
    """

    def __init__(self, trusted: Iterable[str] = ()) -> None:
        self._networks = [ip_network(text, strict=False) for text in trusted]
        self._seen: dict[str, bool] = {}
        self.trusts = bool(self._networks)

    def address(self, peer: str, forwarded: bytes | None) -> str:
        """The client's address.

        Args:
            peer: whom the connection is with.
            forwarded: the value of X-Forwarded-For; several of them joined by commas.
        """
        if forwarded is None or not self.trusts or not self._is_proxy(peer):
            return peer
        client = peer
        for part in reversed(forwarded.decode("latin-1").split(",")):
            address = _parsed(part.strip())
            if address is None:
                break
            client = str(address)
            if not self._is_proxy(client):
                break
        return client

    def _is_proxy(self, text: str) -> bool:
        known = self._seen.get(text)
        if known is None:
            address = _parsed(text)
            known = address is not None and any(address in network for network in self._networks)
            if len(self._seen) >= _KEPT:
                self._seen.clear()
            self._seen[text] = known
        return known


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    """An address as proxies write it: with or without a port, IPv6 in brackets or not; None: none."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped
