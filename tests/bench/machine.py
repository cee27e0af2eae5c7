"""What the bench ran on."""

import os
import platform
import re
import shutil
import statistics
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FLUSHES = 100


def machine(directory: Path) -> dict[str, str]:
    """Describe the machine, the disk under a directory, and the versions of all that ran."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {
        "processors": f"{os.cpu_count()} × {_found('model name', Path('/proc/cpuinfo'))}",
        "memory": f"{memory:.0f} GB",
        "disk": f"{_file_system(directory)}, 4 KiB flushed in {_flush_milliseconds(directory)} ms",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "Orthanc": _version("Orthanc", "--version"),
        "dcmtk": _version("storescp", "--version"),
    }


def commit() -> str:
    """Return the checkout's commit, marked where files were changed since."""
    return _said("git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12")


def _found(name: str, file: Path) -> str:
    found = re.search(rf"^{name}\s*:\s*(.+)$", file.read_text(), re.MULTILINE)
    return found[1] if found else "unknown"


def _file_system(directory: Path) -> str:
    return " ".join(_said("df", "--output=fstype,source", str(directory)).splitlines()[-1].split())


def _flush_milliseconds(directory: Path) -> str:
    """Return the median time of an append of 4 KiB with fdatasync."""
    file = directory / "flush"
    descriptor = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    try:
        return f"{statistics.median(_flushes(descriptor)) * 1000:.2f}"
    finally:
        os.close(descriptor)
        file.unlink()


def _flushes(descriptor: int) -> list[float]:
    took = []
    for _ in range(FLUSHES):
        began = time.perf_counter()
        os.write(descriptor, bytes(4096))
        os.fdatasync(descriptor)
        took.append(time.perf_counter() - began)
    return took


def _version(program: str, *arguments: str) -> str:
    if shutil.which(program) is None:
        return "not installed"
    found = re.search(r"\d+\.\d+[.\d]*", _said(program, *arguments))
    return found[0] if found else "unknown"


def _said(*arguments: str) -> str:
    ended = subprocess.run(
        arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    return ended.stdout.strip() or "unknown"
