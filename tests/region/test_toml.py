"""What is written as TOML is read back as it was."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from deploy.region.toml import toml_document

TEXT = st.text(st.characters(codec="utf-8"))


@given(text=TEXT)
def test_any_text_comes_back(text: str) -> None:
    assert tomllib.loads(toml_document({"a": text})) == {"a": text}


def test_tables_and_arrays_of_tables_come_back() -> None:
    value = {
        "plain": "a",
        "table": {"port": 0, "on": True, "seconds": 1.5},
        "many": [{"name": "x", "inner": [{"y": "z"}]}, {"name": "y", "inner": []}],
        "none": [],
    }
    assert tomllib.loads(toml_document(value)) == value
