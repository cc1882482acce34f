"""A token of SoftHSM2, Debian's software HSM, for the tests of master keys in hardware."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
TOKEN = "encounter"
PIN = "271828"


def make_token(folder: Path) -> None:
    """A fresh token that this process, and those that it starts, find. Skips where SoftHSM2 is not
    installed.
    """
    if not MODULE.exists():
        pytest.skip("SoftHSM2 is not installed: apt-get install softhsm2 (or make softhsm)")
    pytest.importorskip("pkcs11", reason="the pkcs11 extra is not installed")
    tokens = folder / "tokens"
    tokens.mkdir(parents=True)
    conf = folder / "softhsm2.conf"
    conf.write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\n")
    os.environ["SOFTHSM2_CONF"] = str(conf)
    argv = ["softhsm2-util", "--init-token", "--free", "--label", TOKEN, "--pin", PIN]
    subprocess.run([*argv, "--so-pin", "314159"], check=True, capture_output=True)
