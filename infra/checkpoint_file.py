"""This home's own copy of the audit log's checkpoints, one a line: what a store that was cut short
is held against.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from pathlib import Path

from data_contracts.errors import BadInput


def read_checkpoints(path: Path) -> list[str]:
    """Checkpoints from a file, one a line; none where there is no file. Raises BadInput when it
    cannot be read.
    """
    try:
        return [
            line.strip() for line in path.read_text(encoding="ascii").splitlines() if line.strip()
        ]
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: checkpoints cannot be read ({error})") from None


def keep_checkpoint(path: Path, signed: str) -> None:
    """Append a checkpoint to this home's file (mode 0600): it outlives whatever happens to the
    store. Raises BadInput where the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", encoding="ascii"
        ) as file:
            file.write(signed + "\n")
    except OSError as error:
        raise BadInput(f"{path}: the checkpoint cannot be kept ({error.strerror})") from None


def signed_entry(checkpoint: str) -> int:
    """The number of the entry that holds a checkpoint of this home's own file; 0 where it cannot be
    read. The signature is not checked: the file is nobody else's.
    """
    try:
        payload = checkpoint.split(".")[1]
        said = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return int(said["sequence"]) + 1
    except (ValueError, LookupError, TypeError, RecursionError, binascii.Error):
        return 0
