# SPDX-License-Identifier: Apache-2.0
"""Processes of the tests: started in a session of their own, ended by id, their output kept in a file."""

import ctypes
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

from .wait import patience


PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def _end_with_parent():
    """In the child: a test run that is killed leaves nothing running."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


class Process:
    def __init__(self, argv, log: Path, env=None, cwd=None, stdin=None):
        self.argv = [str(a) for a in argv]
        self.log = Path(log)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._err = open(self.log, "ab", buffering=0)
        self.popen = subprocess.Popen(
            self.argv, stdin=stdin or subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._err,
            env=env, cwd=cwd, start_new_session=True, preexec_fn=_end_with_parent,
        )
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._eof = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self.popen.pid

    def _read(self):
        for raw in self.popen.stdout:
            with self._changed:
                self.lines.append(raw.decode(errors="replace").rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._eof = True
            self._changed.notify_all()

    def line(self, prefix: str, timeout: float) -> str:
        """The first line of standard output that begins with prefix."""
        deadline = time.monotonic() + patience(timeout)
        with self._changed:
            while True:
                for text in self.lines:
                    if text.startswith(prefix):
                        return text
                left = deadline - time.monotonic()
                if self._eof or left <= 0:
                    break
                self._changed.wait(left)
        how = "ended" if self._eof else f"did not say it within {patience(timeout):.0f} s"
        raise AssertionError(
            f"{self.argv[0]} should print a line '{prefix}…' but {how} (exit code {self.popen.poll()})\n"
            f"--- its output\n" + "\n".join(self.lines[-20:]) + f"\n--- its log {self.log}\n{self.tail()}"
        )

    def tail(self, count: int = 40) -> str:
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])
        except OSError:
            return ""

    def alive(self) -> bool:
        return self.popen.poll() is None

    def send(self, number: int):
        if self.alive():
            os.kill(self.pid, number)

    def wait(self, timeout: float) -> int:
        code = self.popen.wait(timeout)
        # Only now is all output in: the reader ends with the pipe.
        self._reader.join(60)
        return code

    def kill(self) -> int:
        """kill -9: nothing is said good-bye to."""
        self.send(signal.SIGKILL)
        return self.wait(60)

    def stop(self, timeout: float = 60) -> int:
        """SIGTERM; a process that ignores it is killed and that is an error."""
        self.send(signal.SIGTERM)
        try:
            return self.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.argv[0]} did not end within {timeout:.0f} s of SIGTERM\n{self.tail()}")
        finally:
            self._err.close()


def cpu_seconds(pid: int) -> float:
    """User and system time of one process so far."""
    text = Path(f"/proc/{pid}/stat").read_text()
    fields = text[text.rindex(")") + 2:].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_bytes(pid: int, what: str = "VmRSS") -> int:
    """VmRSS: everything; RssAnon: without pages of files, such as the mapped database."""
    for row in Path(f"/proc/{pid}/status").read_text().splitlines():
        if row.startswith(what + ":"):
            return int(row.split()[1]) * 1024
    return 0


def children(pid: int) -> list[int]:
    """Ids of all processes below this one (driver hosts among them)."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text()
            except OSError:
                continue
            parents.setdefault(int(text[text.rindex(")") + 2:].split()[1]), []).append(int(entry.name))
    found, queue = [], [pid]
    while queue:
        for child in parents.get(queue.pop(), []):
            found.append(child)
            queue.append(child)
    return found


def command_name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
