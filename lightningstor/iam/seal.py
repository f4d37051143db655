"""Secrets at rest: AES-256-GCM under one key of the store, bound to whom the secret belongs to."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

from lightningstor.errors import BytesCorrupt
from lightningstor.ports import Entropy

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["SEAL_KEY_BYTES", "Seal"]

SEAL_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_FORM: Final = b"\x01"
"""First byte of a sealed secret: AES-256-GCM, 12 bytes of random nonce, ciphertext with its 16 byte tag."""


class Seal:
    """Seals and opens secrets.

    Args:
        key: 32 random bytes.
        entropy: for nonces. Random ones of 96 bits are sound for 2**32 secrets under a key (NIST SP 800-38D §8.3).

    Raises:
        ValueError: the key is of another length.
    """

    def __init__(self, key: bytes, entropy: Entropy) -> None:
        if len(key) != SEAL_KEY_BYTES:
            raise ValueError(f"a seal key has {SEAL_KEY_BYTES} bytes, not {len(key)}")
        self._key = key
        self._entropy = entropy

    @cached_property
    def _cipher(self) -> AESGCM:
        # Takes 30 ms to import, and a store without stored credentials never needs it.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(self._key)

    def seal(self, secret: bytes, associated: bytes) -> bytes:
        """The secret, readable only with the key and the same associated data."""
        nonce = self._entropy.token_bytes(_NONCE_BYTES)
        return _FORM + nonce + self._cipher.encrypt(nonce, secret, associated)

    def open(self, sealed: bytes, associated: bytes, where: str) -> bytes:
        """The secret again.

        Args:
            where: names the record in the error.

        Raises:
            BytesCorrupt: another key or other associated data sealed it, or its bytes were changed.
        """
        from cryptography.exceptions import InvalidTag

        if sealed[:1] != _FORM:
            raise BytesCorrupt(where, "the secret is sealed in a form that this version does not know")
        nonce, ciphertext = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, ciphertext, associated)
        except (InvalidTag, ValueError):
            reason = "the secret does not open: sealed under another key, or for another access key or principal"
            raise BytesCorrupt(where, reason) from None
