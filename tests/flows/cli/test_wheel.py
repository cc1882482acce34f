"""What is installed from a wheel has all that a clone has."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
# Beside the modules: what they read at run time.
DATA = {".yaml", ".json", ".j2", ".css", ".npz", ".onnx", ".typed"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree, built without the network."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the wheel, and the libraries of this one; not this tree."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    site = Path(
        subprocess.run(
            [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
    )
    # A path file inside a folder that a path file names is not read: the tree stays unseen.
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps"]
    install += ["--no-index", "--ignore-installed", "-q", str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    return python


def run(python: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A program of the installed environment, in a folder where there is no clone."""
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [str(python.parent / words[0]), *words[1:]],
        cwd=python.parents[1],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_file_of_the_packages_is_in_the_wheel(wheel: Path) -> None:
    """Modules and what they read; prefect.yaml inside the package of the flows."""
    there = set(zipfile.ZipFile(wheel).namelist())
    tracked = subprocess.run(
        ["git", "ls-files", "flows", "tasks", "models", "infra", "data_contracts"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    wanted = {name for name in tracked if Path(name).suffix in DATA | {".py"}}
    assert len(wanted) > 200
    assert wanted <= there, wanted - there
    assert "flows/prefect.yaml" in there
    assert not any(name.startswith(("tests/", "benchmarks/", "demo/")) for name in there)


def test_the_command_is_there(python: Path) -> None:
    """`encounter --version` from the wheel, and a command that reads the package's data."""
    told = run(python, "encounter", "--version")
    assert told.stdout == f"encounter {version('encounter')}\n", told.stderr
    listed = run(python, "encounter", "models", "list", "--json")
    assert listed.returncode == 0, listed.stderr


def test_the_deployments_are_found(python: Path) -> None:
    """The file that `encounter up` registers is the clone's, and its flows lie where it says."""
    program = (
        "from flows.cli.stack import PROJECT, deployments_file\n"
        "print(deployments_file()); print(PROJECT)\n"
    )
    told = run(python, "python", "-c", program)
    assert told.returncode == 0, told.stderr
    file, project = map(Path, told.stdout.split())
    assert ROOT not in file.parents
    assert file.read_bytes() == (ROOT / "prefect.yaml").read_bytes()
    for deployment in yaml.safe_load(file.read_text())["deployments"]:
        assert (project / deployment["entrypoint"].split(":")[0]).exists()


@pytest.mark.stack
def test_the_deployments_are_registered(python: Path, stack) -> None:
    """`prefect deploy --all` from the wheel, on a running server. They go again: reconcile would
    start whatever case other tests file.
    """
    from flows.cli.stack import PROJECT
    from flows.runtime.prefect_api import client, use_server

    program = (
        "from flows.cli.stack import register\nfrom infra.settings import load_settings\n"
        f"register(load_settings(home={str(stack.settings.home)!r}))\n"
    )
    try:
        done = run(python, "python", "-c", program)
        assert done.returncode == 0, done.stderr
        use_server(stack.settings)
        with client() as api:
            found = {d.name: d for d in api.read_deployments()}
        assert set(found) >= {"trace-case", "rerun-exposure", "reconcile", "purge-expired"}
        shown = found["rerun-exposure"].description
        assert "Without: start cases again for which footage has" in shown
        assert str(PROJECT) not in str(found["trace-case"].pull_steps)
    finally:
        use_server(stack.settings)
        with client() as api:
            for deployment in api.read_deployments():
                api.delete_deployment(deployment.id)
