"""What pydicom imports for pixels stays out until somebody looks at a pixel."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

_RECEIVES = """
import sys
from archive.dimse.postponed import postponed
with postponed():
    import archive.dimse.scp
"""

_ANSWERS = """
from pynetdicom.dimse_messages import C_ECHO_RSP
from pynetdicom.dimse_primitives import C_ECHO
response = C_ECHO()
response.MessageIDBeingRespondedTo, response.Status = 1, 0
response.AffectedSOPClassUID = "1.2.840.10008.1.1"
message = C_ECHO_RSP()
message.primitive_to_message(response)
assert list(message.encode_msg(1, 16384))
"""

_NOTHING_IS_THERE = """
unwanted = {"numpy", "PIL", "pylibjpeg", "openjpeg", "jpeg_ls", "pydicom.pixels", "sqlalchemy"}
assert unwanted & sys.modules.keys() == set(), unwanted & sys.modules.keys()
"""

_LOOKS_AT_A_PIXEL = """
import pydicom
from pydicom.data import get_testdata_file
compressed = pydicom.dcmread(get_testdata_file("JPEG2000.dcm", download=False))
compressed.decompress(generate_instance_uid=False)
plain = pydicom.dcmread(get_testdata_file("CT_small.dcm", download=False))
assert plain.pixel_array.shape == (128, 128)
import numpy
from pydicom import dataelem
assert isinstance(plain.pixel_array, dataelem.numpy.ndarray)
assert dataelem.numpy.ndarray is numpy.ndarray
"""


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(_RECEIVES + _NOTHING_IS_THERE, id="not-by-import"),
        pytest.param(_RECEIVES + _ANSWERS + _NOTHING_IS_THERE, id="not-by-an-answer"),
        pytest.param(_RECEIVES + _LOOKS_AT_A_PIXEL, id="all-is-there-for-pixels"),
    ],
)
def test_pixels_are_imported_when_they_are_looked_at(program: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
