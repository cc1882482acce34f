"""Names and sizes of a case's objects that tell nothing to who lists the bucket.

What lies deeper than a case's first folders (`published`, `reference`, `runs`, `stages`) has a name
that says what it is of: how many contacts, which picture, what a stage was made from. Such names
are encrypted under the case's key with AES-SIV (RFC 5297): the same name always comes out the
same, so an object is found again, and without the key names of two cases cannot be compared. Sizes
are padded before encryption to powers of two: of two pictures only their order of magnitude is
told.
"""

from __future__ import annotations

import base64
import binascii

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

# Names are padded to multiples of this, so that their lengths tell little.
_NAME_STEP = 64
# The store's file systems allow names of 255 bytes between two slashes.
_LONGEST_PART = 200
# Most small objects (claims, reports of a unit, tables) come to one size.
_LEAST_BYTES = 4096
_END = b"\x80"


class NameCipher:
    """Turns whole keys of one case into the names under which they are stored, and back."""

    def __init__(self, secret: bytes) -> None:
        self._siv = AESSIV(secret)

    def stored(self, key: str) -> str:
        """The stored name of `<case>/<folder>/<rest>`; shorter keys, which every case has, are as
        they are.
        """
        case_id, _, below = key.partition("/")
        folder, _, rest = below.partition("/")
        if not rest:
            return key
        data = rest.encode()
        padded = data.ljust(-(-len(data) // _NAME_STEP) * _NAME_STEP, b"\0")
        sealed = self._siv.encrypt(padded, [f"{case_id}/{folder}".encode()])
        text = base64.urlsafe_b64encode(sealed).decode().rstrip("=")
        parts = [text[i : i + _LONGEST_PART] for i in range(0, len(text), _LONGEST_PART)]
        return "/".join((case_id, folder, *parts))

    def prefix(self, prefix: str) -> str:
        """What the stored names of all keys that begin so begin with."""
        return "/".join(prefix.split("/")[:2]) + ("/" if prefix.count("/") >= 2 else "")

    def key(self, stored: str) -> str | None:
        """The key of a stored name; None where it was not made by this case."""
        case_id, _, below = stored.partition("/")
        folder, _, rest = below.partition("/")
        if not rest:
            return stored
        text = rest.replace("/", "")
        try:
            sealed = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
            padded = self._siv.decrypt(sealed, [f"{case_id}/{folder}".encode()])
            return f"{case_id}/{folder}/{padded.rstrip(chr(0).encode()).decode()}"
        except (InvalidTag, ValueError, binascii.Error):
            return None


def padded_size(size: int) -> int:
    """Bytes to which `size` bytes are padded: the next power of two with room for the end mark."""
    return max(_LEAST_BYTES, 1 << size.bit_length())


def pad(data: bytes) -> bytes:
    """The data, an end mark and zeros (ISO/IEC 7816-4) up to the padded size."""
    return (data + _END).ljust(padded_size(len(data)), b"\0")


def unpad(padded: bytes) -> bytes:
    """The data again. Raises ValueError where there is no end mark."""
    data = padded.rstrip(b"\0")
    if not data.endswith(_END):
        raise ValueError("no end mark")
    return data[: -len(_END)]
