"""Backends: classes that run a network for a role, by the name that the manifest gives as `loader`.

A class registers itself with the decorator `backend` and is made by its classmethod `load`. The
package imports every module of its folder, so that who imports it finds them all
(CONTRIBUTING.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from data_contracts.errors import ModelUnavailable
from models.files.manifest import ROLES, ModelEntry, ModelInput, Role
from models.files.pack_files import PackFile
from models.runtime import Probe, Session, session
from models.settings import RuntimeName


@dataclass(frozen=True)
class Setup:
    """What a backend is made from.

    `file`: the network, its digest checked. `canvas_px` (width, height): the user's wish for a
    person detector, None for the manifest's. `needed`: the loaded model that the entry's `needs`
    names. `sessions`: those that were made, noted for the record of runtimes.
    """

    name: str
    entry: ModelEntry
    file: PackFile
    runtime: RuntimeName
    threads: int
    canvas_px: tuple[int, int] | None = None
    needed: Any = None
    sessions: list[Session] = field(default_factory=list)

    @property
    def cuda(self) -> bool:
        """Whether the user asked for a graphics card."""
        return self.runtime == "onnxruntime-cuda"

    @property
    def input(self) -> ModelInput:
        """The network's input. Raises ModelUnavailable where the manifest does not describe it."""
        if self.entry.input is None:
            raise ModelUnavailable(f"{self.name}: the manifest does not describe its input")
        return self.entry.input

    def threshold(self, name: str) -> float:
        """A number of the manifest. Raises ModelUnavailable where it has none of that name."""
        if name not in self.entry.thresholds:
            raise ModelUnavailable(f"{self.name}: the manifest has no threshold {name}")
        return self.entry.thresholds[name]

    def session(self, shape: tuple[int, ...], tolerance: float) -> Session:
        """A session for pictures of `shape`; `tolerance` as in `Probe`."""
        given = self.input
        probe = Probe(shape, given.mean[1], given.std[1], tolerance)
        made = session(self.file.path, self.runtime, self.threads, probe)
        self.sessions.append(made)
        return made


class Backend(Protocol):
    """A class that can be registered."""

    @classmethod
    def load(cls, setup: Setup) -> Any:
        """The role's implementation. Raises ModelUnavailable where the file is another network."""
        ...


Registered = TypeVar("Registered", bound=type[Backend])

# By role and loader; filled by the decorator.
BACKENDS: dict[Role, dict[str, type[Backend]]] = {role: {} for role in ROLES}


def backend(role: Role, loader: str) -> Callable[[Registered], Registered]:
    """Register a class as a backend of `role`. Raises ValueError where the name is taken."""

    def register(made: Registered) -> Registered:
        taken = BACKENDS[role].setdefault(loader, made)
        if taken is not made:
            raise ValueError(f"loader {loader} for {role} is already {taken.__name__}")
        return made

    return register
