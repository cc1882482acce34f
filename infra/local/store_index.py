"""The local object store's index of names: SeaweedFS's filer keeps it in SQLite, in a table for
each bucket.

SQLite leaves deleted rows in free pages, and rewrites them when asked
(`infra.local.sqlite_file.compact`). LevelDB, the filer's default, keeps names of deleted objects in
its journal and cannot be asked.
"""

from __future__ import annotations

import json
from pathlib import Path

from infra.local.sqlite_file import compact
from infra.stack_record import StackRecord

FILE = "filer.db"
_LEVELDB_FOLDER = "filerldb2"


def configuration(data_dir: Path) -> str | None:
    """The filer's configuration (filer.toml); None for an older data folder, which keeps its
    LevelDB.
    """
    if (data_dir / _LEVELDB_FOLDER).exists():
        return None
    # A JSON string is a basic string of TOML, whatever is in the path.
    return (
        "[sqlite]\nenabled = true\ndbFile = "
        f"{json.dumps(str(data_dir / FILE), ensure_ascii=False)}\n"
    )


def rewrite(record: StackRecord) -> None:
    """Take what was deleted out of the index's pages, where there is one that can be rewritten.
    Raises StackError.
    """
    path = local_index(record)
    if path is not None:
        compact(path)


def local_index(record: StackRecord) -> Path | None:
    """The index of this home's store; None where it keeps another kind."""
    path = Path(record.data_dir or "") / FILE
    return path if record.data_dir and path.is_file() else None
