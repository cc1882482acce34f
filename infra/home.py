"""Where the local stack keeps its files: one folder, the home, with one meaning for each path in
it.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from data_contracts.errors import BadInput


@dataclass(frozen=True)
class Home:
    """The folder of one stack. Two stacks with different homes share nothing."""

    path: Path

    def make(self) -> None:
        """Make the folder so that only its owner can enter it (mode 0700), or mend its rights.

        Raises BadInput where it is another user's, or where others may write to it: what lies in
        it may then be theirs.
        """
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = self.path.stat()
        mode = stat.S_IMODE(found.st_mode)
        if found.st_uid != os.geteuid():
            raise BadInput(
                f"the home {self.path} belongs to another user (id {found.st_uid}): run as that "
                "user, or set ENCOUNTER_HOME to a folder of your own"
            )
        if mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise BadInput(
                f"others may write to the home {self.path} (mode {mode:o}), so what lies in it may "
                f"be theirs: look, then run  chmod 700 {self.path}  or set ENCOUNTER_HOME to a "
                "folder that is not there yet"
            )
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            self.path.chmod(0o700)

    @property
    def settings_file(self) -> Path:
        """Settings as TOML, read when it exists."""
        return self.path / "settings.toml"

    @property
    def stack_file(self) -> Path:
        """What runs: ports, process ids with start times, addresses."""
        return self.path / "stack.json"

    @property
    def store(self) -> Path:
        """The object store's working folder: its configuration, credentials and (by default)
        data.
        """
        return self.path / "store"

    @property
    def s3_file(self) -> Path:
        """The generated S3 identities (mode 0600)."""
        return self.store / "s3.json"

    @property
    def prefect(self) -> Path:
        """Prefect's home: its SQLite database and profiles."""
        return self.path / "prefect"

    @property
    def prefect_login_file(self) -> Path:
        """The login of the local Prefect server (mode 0600), one line: what its UI asks for."""
        return self.path / "prefect-login"

    @property
    def dask(self) -> Path:
        """Scratch space of Dask workers."""
        return self.path / "dask"

    @property
    def dask_tls_file(self) -> Path:
        """Certificate and key of the stack's Dask (mode 0600), made anew at each start."""
        return self.keys / "dask.pem"

    @property
    def logs(self) -> Path:
        """One log file for each process."""
        return self.path / "logs"

    @property
    def keys(self) -> Path:
        """Key material (mode 0700)."""
        return self.path / "keys"

    @property
    def master_key_file(self) -> Path:
        """The master key (mode 0600) unless settings name another source."""
        return self.keys / "master.key"

    @property
    def pkcs11_pin_file(self) -> Path:
        """The PIN of a token that keeps the master key (mode 0600)."""
        return self.keys / "pkcs11.pin"

    @property
    def signing_key_file(self) -> Path:
        """The installation's signing key (mode 0600) unless settings name another file."""
        return self.keys / "installation.jwk"

    @property
    def desk_accounts_file(self) -> Path:
        """The accounts of the desk (mode 0600)."""
        return self.path / "desk-accounts.json"

    @property
    def root_file(self) -> Path:
        """The public half of the root of trusted keys, unless settings name it."""
        return self.keys / "root.pub"

    @property
    def demo_root_file(self) -> Path:
        """The private half of a root, only in a home for a demo or a benchmark, which plays all
        roles itself.
        """
        return self.keys / "demo-root.jwk"

    def key_list_file(self, bucket_prefix: str) -> Path:
        """Number and digest of the highest list of trusted keys that was seen in a store."""
        return self.keys / f"{bucket_prefix}key-list-seen.json"

    @property
    def checkpoints_file(self) -> Path:
        """The audit log's checkpoints that were made here, one a line: what a store that was cut
        short is held against.
        """
        return self.path / "audit-checkpoints"

    @property
    def cameras(self) -> Path:
        """Indexes of camera files (`infra.camera_index`); may be deleted."""
        return self.path / "cameras"

    @property
    def purge_pass_file(self) -> Path:
        """When purge-expired last believed this machine's clock, and whether cases wait."""
        return self.path / "purge-pass.json"

    @property
    def runs(self) -> Path:
        """A file for each flow run that this home's worker took, held by the run's process."""
        return self.path / "runs"

    def run_file(self, flow_run_id: str) -> Path:
        """The file of one flow run."""
        return self.runs / flow_run_id

    def held(self, name: str) -> Path:
        """The file that a part of the stack, or a pass that runs alone, holds while it lives."""
        return self.path / "held" / name

    def succeeded(self, name: str) -> Path:
        """A file whose time is when a pass last succeeded."""
        return self.path / "succeeded" / name

    @property
    def metrics_token_file(self) -> Path:
        """What Prometheus sends to the desk (mode 0600), one line."""
        return self.path / "metrics-token"

    def fetched(self, case_id: str) -> Path:
        """Where decrypted copies of a case lie on this machine (mode 0600)."""
        return self.path / "fetched" / f"{case_id}.json"

    @property
    def tidy_due_file(self) -> Path:
        """There while the local store may keep names of deleted objects; its time is that of the
        last deletion.
        """
        return self.store / "tidy-due"
