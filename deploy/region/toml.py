"""Writing TOML: tables one level deep, arrays of tables, and inline values below them."""

import json
from collections.abc import Iterator, Mapping, Sequence


def toml_document(value: Mapping[str, object]) -> str:
    """Return a TOML document; top-level scalars first, whatever their place in `value`."""
    plain = {key: one for key, one in value.items() if not _is_table(one)}
    tables = {key: one for key, one in value.items() if _is_table(one)}
    return "\n".join([*_pairs(plain), *_sections(tables)]) + "\n"


def _is_table(value: object) -> bool:
    if isinstance(value, Mapping):
        return True
    return isinstance(value, Sequence) and bool(value) and isinstance(value[0], Mapping)


def _sections(tables: Mapping[str, object]) -> Iterator[str]:
    for key, value in tables.items():
        if isinstance(value, Mapping):
            yield from ("", f"[{key}]", *_pairs(value))
        elif isinstance(value, Sequence):
            for one in value:
                yield from ("", f"[[{key}]]", *_pairs(one))


def _pairs(table: Mapping[str, object]) -> Iterator[str]:
    for key, value in table.items():
        yield f"{key} = {_inline(value)}"


def _inline(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(_pairs(value)) + "}"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, Sequence):
        return "[" + ", ".join(_inline(one) for one in value) + "]"
    raise TypeError(f"{type(value).__name__} has no form in TOML here")


def _string(value: str) -> str:
    """Write a basic string: JSON's escapes are TOML's, but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
