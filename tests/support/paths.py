# SPDX-License-Identifier: Apache-2.0
"""Where things are. PV_BUILD names the build tree under test (default build/dev)."""

import os
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
BUILD = Path(os.environ.get("PV_BUILD") or ROOT / "build" / "dev")
if not BUILD.is_absolute():
    BUILD = ROOT / BUILD
# Where programs end up in the build tree and in an installed tree is the same: bin/ and lib/polyvisor/drivers.
BIN = BUILD / "bin"
DRIVERS = BUILD / "lib" / "polyvisor" / "drivers"
PEERS = Path(os.environ.get("PV_PEERS") or ROOT / "build" / "peers")


class Missing(Exception):
    """Something the tests need is not there. The text says how to get it; a test fails with it, never skips."""


def program(name: str) -> Path:
    path = BIN / name
    if not os.access(path, os.X_OK):
        raise Missing(
            f"{path} is missing: build it with 'tests/run --build-only' or "
            f"'cmake --preset dev && cmake --build build/dev', or set PV_BUILD to the build tree"
        )
    return path


def tool(name: str, hint: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise Missing(f"'{name}' is missing: {hint}")
    return path
