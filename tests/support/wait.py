# SPDX-License-Identifier: Apache-2.0
"""Waiting for something to become true, with a failure that says what was seen instead."""

import os
import time

# Sanitizer builds on a busy machine are several times slower; waits are upper bounds, never assertions on speed.
PATIENCE = float(os.environ.get("PV_PATIENCE", "1"))
# No wait is given up sooner than that, whatever its caller thinks is soon: a busy machine stands still for many seconds.
AT_LEAST = 60


def patience(timeout: float) -> float:
    """The seconds after which waiting is given up."""
    return max(timeout, AT_LEAST) * PATIENCE


def wait_for(look, what: str, timeout: float = 30, every: float = 0.1, ignore=()):
    """Calls look() until it answers something true, and returns that."""
    deadline = time.monotonic() + patience(timeout)
    seen, trouble = None, None
    while True:
        try:
            seen, trouble = look(), None
            if seen:
                return seen
        except ignore as error:  # for example a connection refused while a server starts again
            trouble = error
        if time.monotonic() >= deadline:
            break
        time.sleep(every)
    raise AssertionError(
        f"{what}: not true after {patience(timeout):.0f} s; last seen: {trouble if trouble else seen!r}"
    )


def difference(seen, expected) -> str:
    if isinstance(seen, dict) and isinstance(expected, dict):
        keys = sorted(k for k in seen.keys() | expected.keys() if seen.get(k) != expected.get(k))
        some = ", ".join(f"{k} is {seen.get(k)!r} instead of {expected.get(k)!r}" for k in keys[:8])
        return f"{len(keys)} of {len(expected)} differ: {some}"
    return f"expected {expected!r}, still {seen!r}"


def wait_equal(look, expected, what: str, timeout: float = 30, every: float = 0.1):
    """Calls look() until it answers expected; the failure shows the last answer."""
    deadline = time.monotonic() + patience(timeout)
    while True:
        seen = look()
        if seen == expected:
            return seen
        if time.monotonic() >= deadline:
            raise AssertionError(f"{what}, after {patience(timeout):.0f} s: {difference(seen, expected)}")
        time.sleep(every)
