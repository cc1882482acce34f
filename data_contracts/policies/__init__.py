"""Exposure policies as dated data files, and their loader. Adding a policy is adding a file
(CONTRIBUTING.md)."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import ValidationError

from data_contracts.errors import BadInput
from data_contracts.policy import Policy
from data_contracts.record import first_fault

_SHIPPED = Path(__file__).parent


def policy_names(extra_dir: Path | None = None) -> list[str]:
    """Names of the shipped policies and of those in `extra_dir`, sorted."""
    return sorted(_files(extra_dir))


def load_policy(name: str, extra_dir: Path | None = None) -> Policy:
    """The policy of a name, or of a path to a YAML file.

    Files in `extra_dir` go before shipped ones of the same name. Raises BadInput: unknown name
    (lists the known ones), unreadable file, wrong field.
    """
    if name.endswith((".yaml", ".yml")):
        return _read(Path(name))
    files = _files(extra_dir)
    if name not in files:
        raise BadInput(
            f"exposure policy {name!r} is unknown: expected one of {', '.join(sorted(files))}, or "
            "a YAML file"
        )
    policy = _read(files[name])
    if policy.name != name:
        raise BadInput(
            f"{files[name].name}: expected the policy's name to be {name!r} like the file's, got "
            f"{policy.name!r}"
        )
    return policy


def _files(extra_dir: Path | None) -> dict[str, Path]:
    folders = [_SHIPPED] if extra_dir is None else [_SHIPPED, extra_dir]
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.yaml"))}


def _read(path: Path) -> Policy:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: this exposure policy cannot be read ({error})") from error
    except yaml.YAMLError as error:
        raise BadInput(f"{path}: expected YAML, got {str(error).splitlines()[0]}") from error
    try:
        return Policy.model_validate(data)
    except ValidationError as error:
        raise BadInput(f"{path}: exposure policy, field {first_fault(error, 'file')}") from None
