"""Pictures from outside (reference pictures, a clicked view): told by their header before a pixel
is decoded.

A PNG of 1 MB may hold 32,000 x 32,000 px, which takes 6 GB to decode. So only PNG and JPEG are
read, whose headers say the size, and what is too large is refused by the header alone.
"""

from __future__ import annotations

import struct

import cv2
import numpy as np
from numpy.typing import NDArray

from data_contracts.errors import BadInput

# The largest cameras of phones make pictures of 48 to 64 million pixels: 192 MB once decoded.
MAX_PIXELS = 64_000_000
MAX_BYTES = 32 * 2**20
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
# JPEG markers that carry a picture's size (ITU-T T.81, table B.1): all SOFs but the three codes
# between them that are none.
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# JPEG markers of two bytes, without a length: fill, TEM, RST0 to RST7.
_BARE = {0xFF, 0x01, *range(0xD0, 0xD8)}
_REDUCED = {2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4}


def decode_picture(name: str, data: bytes, enough_px: int | None = None) -> NDArray[np.uint8]:
    """The picture (height, width, 3) BGR. With `enough_px` it may come at a half or a quarter of
    its size, never with a longer side below that: a JPEG then takes as much less memory.

    Raises BadInput, before anything is decoded where the size is at fault.
    """
    if len(data) > MAX_BYTES:
        raise BadInput(
            f"{name}: expected at most {MAX_BYTES >> 20} MiB, got {len(data) >> 20}: send a "
            "smaller picture"
        )
    size = header_size(data)
    if size is None:
        raise BadInput(f"{name}: expected a JPEG or PNG picture, and it cannot be read as one")
    width, height = size
    if not 0 < width * height <= MAX_PIXELS:
        raise BadInput(
            f"{name}: expected a picture of at most {MAX_PIXELS:,} pixels, the header says "
            f"{width} x {height}: send a smaller one"
        )
    fits = [by for by in _REDUCED if enough_px and max(size) >= by * enough_px]
    flag = _REDUCED[max(fits)] if fits else cv2.IMREAD_COLOR
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except (cv2.error, MemoryError):
        picture = None
    if picture is None:
        raise BadInput(f"{name}: expected a JPEG or PNG picture, and it cannot be decoded")
    return np.asarray(picture, np.uint8)


def header_size(data: bytes) -> tuple[int, int] | None:
    """Width and height by a PNG's or JPEG's header; None for anything else."""
    if data.startswith(_PNG):
        return struct.unpack(">II", data[16:24]) if data[12:16] == b"IHDR" else None
    return _jpeg_size(data) if data.startswith(_JPEG) else None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    at = len(_JPEG)
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _BARE:
            at += 1 if marker == 0xFF else 2
            continue
        if marker in _FRAMES:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    return None
