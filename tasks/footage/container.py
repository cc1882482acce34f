"""Which container a recording is in, told by its first bytes.

A name says nothing: Hikvision exports program streams as `.mp4`. Only containers of this list are
read. None of them can name another file, as playlists do.
"""

from __future__ import annotations

from typing import NamedTuple

# Enough for three packets of a transport stream wherever it was cut.
HEAD_BYTES = 1024
_TRANSPORT_PACKETS = (188, 192, 204)
_SYNC = 0x47
_ASF = bytes.fromhex("3026b2758e66cf11")
# First boxes of ISO 14496-12 and of QuickTime files.
_BOXES = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp", b"moof", b"uuid"}
# Pack and system header, map, and the video of a program stream (ISO 13818-1, table 2-22).
_PROGRAM_STARTS = {0xBA, 0xBB, 0xBC, *range(0xE0, 0xF0)}


class Container(NamedTuple):
    """A kind of file: the codec library's demuxer for it, the ending that its object key gets, and
    its media type.
    """

    demuxer: str
    suffix: str
    media_type: str


MP4 = Container("mp4", "mp4", "video/mp4")
QUICKTIME = Container("mov", "mov", "video/quicktime")
MATROSKA = Container("matroska", "mkv", "video/x-matroska")
TRANSPORT = Container("mpegts", "ts", "video/mp2t")
PROGRAM = Container("mpeg", "mpg", "video/mp2p")
AVI = Container("avi", "avi", "video/x-msvideo")
ASF = Container("asf", "asf", "video/x-ms-asf")
DAHUA = Container("dhav", "dav", "application/octet-stream")
CONTAINERS = (MP4, QUICKTIME, MATROSKA, TRANSPORT, PROGRAM, AVI, ASF, DAHUA)
NAMES = "MP4, MOV, MKV, MPEG transport or program stream, AVI, ASF or DAV"


def recognise(head: bytes) -> Container | None:
    """The container of a file by its first `HEAD_BYTES`; None where it is not one that is read."""
    if head[4:8] in _BOXES:
        return QUICKTIME if head[4:12] == b"ftypqt  " else MP4
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return MATROSKA
    if head.startswith(b"RIFF") and head[8:11] == b"AVI":
        return AVI
    if head.startswith(_ASF):
        return ASF
    if head.startswith((b"DHAV", b"DAHUA")):
        return DAHUA
    # Hikvision puts a header of its own before a program stream.
    program = head.startswith(b"\0\0\1") and len(head) > 3 and head[3] in _PROGRAM_STARTS
    if program or head.startswith(b"IMKH"):
        return PROGRAM
    return TRANSPORT if _has_sync(head) else None


def _has_sync(head: bytes) -> bool:
    """Whether packets of a transport stream follow one another, wherever the first begins."""
    for length in _TRANSPORT_PACKETS:
        for at in range(length):
            syncs = head[at::length][:4]
            if len(syncs) >= 3 and set(syncs) == {_SYNC}:
                return True
    return False
