"""Long lists in parts, for databases bound the values of one statement."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

_AT_ONCE = 500
_Value = TypeVar("_Value")


def in_parts(values: Sequence[_Value]) -> Iterator[Sequence[_Value]]:
    """Yield the values in their order, as many at once as one statement may name."""
    for start in range(0, len(values), _AT_ONCE):
        yield values[start : start + _AT_ONCE]
