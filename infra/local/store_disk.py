"""What the local store has acknowledged is on the disk, after a power cut too.

SeaweedFS writes its index of names through to the disk, and leaves the objects, and where they lie
in their volumes, to the system's cache. Here every write below /buckets/ waits for the disk
(`-fsync`); and where the machine, not only the program, ended while the store ran, the volumes'
own indexes are made anew from the volumes before it starts again (`weed fix`). Then what a deletion
had not taken out of them yet, and no name leads to any more, is taken out (`volume.fsck`).
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from data_contracts.errors import StackError
from infra.held_file import alone
from infra.running_time import running_time
from infra.stack_record import replace_private

# Both in the data folder, not the home: two homes may name one folder.
HELD = "in-use"
_RUNS_ON = "runs-on"  # there while the store runs: which start of the machine it runs on
_MEND_S = 3600.0
# A line of the program's shell; the program keeps it with its data.
WRITE_THROUGH = "fs.configure -locationPrefix=/buckets/ -fsync -apply"


# What is older than this, and has no name, will get none.
SETTLED_S = 30


def drop_nameless() -> list[str]:
    """Lines of the program's shell that take out of the volumes what no name leads to."""
    fsck = f"volume.fsck -reallyDeleteFromVolume -cutoffTimeAgo={SETTLED_S}s"
    return ["lock", fsck, "unlock"]


def before_start(data_dir: Path, weed: Path) -> bool:
    """Mend the folder where the machine ended while a store ran on it, and note that one does;
    whether it was mended. Nothing where another process has the folder. Raises StackError.
    """
    machine = running_time()
    this = machine.start_id if machine else ""
    mark = data_dir / _RUNS_ON
    with alone(data_dir / HELD) as mine:
        if not mine:
            return False
        cut = mark.exists() and (not this or mark.read_text(encoding="ascii") != this)
        if cut:
            _index_anew(data_dir, weed)
        replace_private(mark, this)
    return cut


def after_stop(data_dir: Path) -> None:
    """The store was stopped: what the system's cache has of it goes to the disk."""
    os.sync()
    (data_dir / _RUNS_ON).unlink(missing_ok=True)


def _index_anew(data_dir: Path, weed: Path) -> None:
    argv = [str(weed), "fix", "-ignoreError", str(data_dir)]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_MEND_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        said = type(error).__name__
    else:
        if done.returncode == 0:
            return
        said = ((done.stderr or done.stdout).strip().splitlines() or ["no output"])[-1][:200]
    raise StackError(
        f"the store's data in {data_dir} cannot be mended after a power cut ({said}): run  weed "
        f"fix {data_dir}  by hand, then encounter up"
    )
