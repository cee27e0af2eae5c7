import re
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from archive.config import ArchiveSettings
from central_store.config import CentralSettings
from local_node.config import NodeSettings
from tests.house.source import ROOT

Row = tuple[str, str]


def part_of(annotation: object) -> type[BaseModel] | None:
    """The table behind a field: its own type, or the type that it holds many or none of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((part for part in map(part_of, get_args(annotation)) if part), None)


def default_of(field: FieldInfo) -> str:
    """The default as the page writes it, in TOML's spelling."""
    value: Any = field.default
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`" if value not in ("", (), None) else "none"


def settings(model: type[BaseModel], prefix: str = "") -> Iterator[Row]:
    """Each setting of a configuration file, by its dotted name, with its default."""
    for name, field in model.model_fields.items():
        many = "[]" if "tuple" in str(field.annotation) else ""
        part = part_of(field.annotation)
        if part is None:
            yield f"{prefix}{name}", default_of(field)
        else:
            yield from settings(part, f"{prefix}{name}{many}.")


def documented(heading: str) -> list[Row]:
    """The rows under a heading of the page on settings: the name, and the default."""
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    section = re.split(r"^## ", page, flags=re.MULTILINE)
    text = next(part for part in section if part.startswith(heading))
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]+) \| (.+) \|$", text, flags=re.MULTILINE)
    return [(name, default.strip()) for name, default, meaning in rows if meaning.strip()]


def own(model: type[BaseModel]) -> list[Row]:
    """The settings that a tier has beyond those of both."""
    shared = set(settings(ArchiveSettings))
    return sorted(row for row in settings(model) if row not in shared)


def test_every_setting_of_both_tiers_is_documented_with_its_default() -> None:
    assert sorted(documented("Both tiers")) == sorted(settings(ArchiveSettings))


def test_every_setting_of_a_node_is_documented_with_its_default() -> None:
    assert sorted(documented("A trust's node")) == own(NodeSettings)


def test_every_setting_of_the_central_store_is_documented_with_its_default() -> None:
    assert sorted(documented("The central store")) == own(CentralSettings)
