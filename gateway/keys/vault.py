"""Secrets at rest: gateway keys as keyed hashes, provider secrets as AES-256-GCM bound to their row and origin.

A sealed secret reads `v1:<key id>:<nonce>:<ciphertext>`, the last two in base64. The additional data is the row's id and
the origin it may be sent to, so a secret copied to another row, or used after the origin was changed, does not open.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import string
import zlib
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

ALPHABET = string.digits + string.ascii_letters
KEY_PREFIX = "lp_"


class SecretUnreadable(Exception):
    """A sealed secret that no key opens for this row and origin; the message says what to do."""


def new_gateway_key() -> str:
    """`lp_`, 43 random letters and digits (256 bits), and a checksum of 6."""
    body = "".join(secrets.choice(ALPHABET) for _ in range(43))
    return f"{KEY_PREFIX}{body}{zlib.crc32(body.encode()) % 10**6:06d}"


def digest(key: str) -> str:
    """HMAC-SHA256 of a gateway key or login token under the server's own secret."""
    pepper = hashlib.sha256(b"loupe gateway keys" + settings.SECRET_KEY.encode()).digest()
    return hmac.new(pepper, key.encode(), hashlib.sha256).hexdigest()


def origin(url: str) -> str:
    """`scheme://host:port`, the part of an address that a secret is bound to."""
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    return f"{parts.scheme}://{parts.hostname or ''}:{port}"


def seal(secret: str, *, row: str, origin: str) -> str:
    key_id, key = _keys()[0]
    nonce = os.urandom(12)
    sealed = AESGCM(key).encrypt(nonce, secret.encode(), _bound_to(row, origin))
    return ":".join(["v1", key_id, base64.b64encode(nonce).decode(), base64.b64encode(sealed).decode()])


def unseal(sealed: str, *, row: str, origin: str) -> str:
    """The secret.

    Raises:
        SecretUnreadable: wrong key, other row or other origin.
    """
    try:
        version, key_id, nonce, text = sealed.split(":")
        key = dict(_keys())[key_id]
        opened = AESGCM(key).decrypt(base64.b64decode(nonce), base64.b64decode(text), _bound_to(row, origin))
    except KeyError:
        raise SecretUnreadable(
            "its encryption key is not in LOUPE_ENCRYPTION_KEYS or in the data folder's encryption-keys"
        ) from None
    except (InvalidTag, ValueError):
        raise SecretUnreadable("it was stored for another address; enter the secret again") from None
    return opened.decode() if version == "v1" else ""


def sealed_with_first_key(sealed: str) -> bool:
    return sealed.split(":")[1:2] == [_keys()[0][0]]


def _keys() -> list[tuple[str, bytes]]:
    """Key ids and keys; the first one seals, all of them open."""
    keys = [hashlib.sha256(b"loupe provider secrets" + text.encode()).digest() for text in settings.ENCRYPTION_KEYS]
    return [(hashlib.sha256(key).hexdigest()[:8], key) for key in keys]


def _bound_to(row: str, origin: str) -> bytes:
    return f"virtual_key/{row}/{origin}".encode()
