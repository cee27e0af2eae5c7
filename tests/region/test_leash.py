"""A program that is not ours ends with its starter."""

import os
import subprocess
import sys
from pathlib import Path

from deploy.region import leash


def test_a_program_whose_starter_died_before_it_was_tied_is_not_run(tmp_path: Path) -> None:
    witness = tmp_path / "it ran"
    read_end, write_end = os.pipe()
    os.close(write_end)

    done = subprocess.run(
        (sys.executable, "-I", "-S", leash.__file__, str(read_end), "/usr/bin/touch", str(witness)),
        pass_fds=[read_end],
        check=False,
    )

    os.close(read_end)
    assert done.returncode == 1
    assert not witness.exists()


def test_the_leash_becomes_the_program_and_adds_no_process() -> None:
    read_end, write_end = os.pipe()

    with subprocess.Popen(
        (sys.executable, "-I", "-S", leash.__file__, str(read_end), "/bin/sh", "-c", "echo $$"),
        pass_fds=[read_end],
        stdout=subprocess.PIPE,
    ) as process:
        said, _ = process.communicate(timeout=30)

    os.close(read_end)
    os.close(write_end)
    assert int(said) == process.pid
