import re

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house.source import ROOT, project

RUN_TIME = "requirements.lock"
TESTS = "requirements-test.lock"


def locked(name: str) -> dict[str, set[str]]:
    """Each package of a lock file with the versions that it names (by marker)."""
    versions: dict[str, set[str]] = {}
    for package, version in re.findall(
        r"^([a-z0-9][a-z0-9._-]*)==([^ ;\\]+)",
        (ROOT / name).read_text(encoding="utf-8"),
        re.MULTILINE,
    ):
        versions.setdefault(canonicalize_name(package), set()).add(version)
    return versions


def unmet(requirements: list[str], lock: dict[str, set[str]]) -> list[str]:
    """The requirements that a lock does not name, or names in a version they rule out."""
    return [
        text
        for text in requirements
        for requirement in [Requirement(text)]
        for versions in [lock.get(canonicalize_name(requirement.name), set())]
        if not versions or not all(requirement.specifier.contains(v) for v in versions)
    ]


def test_the_run_time_lock_meets_every_requirement_of_the_project() -> None:
    table = project()
    wanted = table["project"]["dependencies"] + table["build-system"]["requires"]
    assert unmet(wanted, locked(RUN_TIME)) == []


def test_the_test_lock_meets_every_requirement_of_the_tests() -> None:
    wanted = project()["project"]["optional-dependencies"]["test"]
    assert unmet(wanted, locked(TESTS)) == []


def test_the_test_lock_holds_every_run_time_package_in_the_same_version() -> None:
    tests = locked(TESTS)
    assert {name: tests.get(name) for name in locked(RUN_TIME)} == locked(RUN_TIME)


def test_every_locked_package_carries_hashes() -> None:
    for name in (RUN_TIME, TESTS):
        text = (ROOT / name).read_text(encoding="utf-8")
        entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
        assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
