"""What the log says when work fell that nobody foresaw."""

from structlog.testing import capture_logs

from archive.index.engine import Index
from sync.jobs.ledger import Ledger
from sync.jobs.work import Claimed, JobClass
from sync.transfer.messages import PatientsMessage
from tests.jobs.test_executor import Kind, bench
from tests.jobs.works import put


def fell(ledger: Ledger, kind: Kind) -> dict[str, object]:
    """Run a job that falls; return its log line."""
    put(ledger, "a")
    with capture_logs() as lines:
        assert bench(ledger, kind).run_one(JobClass.ROUTINE)
    (line,) = [dict(line) for line in lines if line["event"] == "job.fell"]
    return line


def test_the_place_is_in_our_own_code_however_deep_a_library_fell(ledger: Ledger) -> None:
    def kind(_claimed: Claimed) -> str:
        Index("no database at all", clock=ledger.index.clock)
        return ""

    line = fell(ledger, kind)
    assert line["error"] == "ArgumentError"
    assert str(line["where"]).startswith("archive.index.engine:")


def test_a_message_that_breaks_its_form_tells_its_fields_and_never_what_they_held(
    ledger: Ledger,
) -> None:
    patient = {
        "mrn": ["Doe^Jane"],
        "name": "Doe^Jane",
        "issuer": {"organisation": "RXA", "namespace": "RXA"},
        "Doe^Jane": "19700412",
    }

    def kind(_claimed: Claimed) -> str:
        return str(PatientsMessage.model_validate({"version": 1, "patients": [patient]}))

    line = fell(ledger, kind)
    assert line["error"] == "ValidationError"
    assert "patients.0.mrn string_type, patients.0.* extra_forbidden" in str(line["faults"])
    assert "Doe" not in str(line)
    assert "1970" not in str(line)
