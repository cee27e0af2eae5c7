"""What an operator who mistypes is told."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from archive.errors import ConfigurationInvalid
from archive.states import JobState
from deploy.command import app
from tests.operators.conftest import Imagestore


def test_a_state_that_is_none_is_refused_by_naming_those_that_are(imagestore: Imagestore) -> None:
    refused = imagestore("queue", "list", "--state", "RUBBISH")
    assert refused.exit_code == 2
    for state in JobState:
        assert state.value in refused.output
    assert imagestore("queue", "list", "--state", "scheduled").exit_code == 0


def test_a_directory_without_a_region_is_told_so(tmp_path: Path) -> None:
    for verb in (["status"], ["queue", "list"], ["trace", "1.2.3"]):
        told = CliRunner().invoke(app, [*verb, "--dir", str(tmp_path / "nowhere")])
        with pytest.raises(ConfigurationInvalid, match="No region lies in this directory"):
            raise told.exception or AssertionError(told.output)


def test_a_tier_that_a_region_has_not_is_told_so(imagestore: Imagestore) -> None:
    told = imagestore("status", "--tier", "RXZ")
    assert isinstance(told.exception, ConfigurationInvalid)
    assert "There is no such tier." in str(told.exception)
