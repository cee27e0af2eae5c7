"""What a working process writes about odd objects never quotes a patient's values."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

READ_AN_ODD_OBJECT = """
import io
from pydicom import dcmread
from archive.logs import log_to_stderr
from archive.store.part10 import file_meta

log_to_stderr()
syntax = "1.2.840.10008.1.2.1"
meta = file_meta(
    sop_class_uid="1.2", sop_instance_uid="1.2.3", transfer_syntax=syntax,
    calling_ae="CT1", called_ae="RXA",
)
odd = bytes.fromhex("10003000") + b"DA\\x08\\x00" + b"1970BAD1"
odd += bytes.fromhex("10002000") + b"LO\\x46\\x00" + b"SECRET" * 11 + b"1234"
data_set = dcmread(io.BytesIO(meta + odd))
print(data_set.PatientBirthDate, data_set.PatientID)
"""


def test_values_that_pydicom_complains_of_reach_no_log() -> None:
    done = subprocess.run(
        [sys.executable, "-c", READ_AN_ODD_OBJECT],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "1970BAD1" in done.stdout
    assert "SECRET" in done.stdout
    assert done.stderr == ""
