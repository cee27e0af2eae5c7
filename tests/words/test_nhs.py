"""The NHS number, its status, and where it may be used."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.words.nhs import (
    Environment,
    Inadmissible,
    NhsNumber,
    NhsStatus,
    NumberFault,
    NumberRange,
    admissible,
    check_digit,
    parse_status,
    read_nhs_number,
)

nine_digits = st.text("0123456789", min_size=9, max_size=9)


def complete(nine: str) -> str | None:
    digit = check_digit(nine)
    number = None if digit is None else f"{nine}{digit}"
    return None if number is None or len(set(number)) == 1 else number


numbers = nine_digits.map(complete).filter(bool)


@pytest.mark.parametrize(
    "text",
    [
        "9434765919",
        "943 476 5919",
        "943-476-5919",
        " 943\u00a0476\u20115919\n",
        "94 34 76 59 19",
    ],
)
def test_separators_of_any_kind_are_left_out(text: str) -> None:
    assert read_nhs_number(text) == NhsNumber("9434765919")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (None, NumberFault.ABSENT),
        ("", NumberFault.ABSENT),
        (" - ", NumberFault.ABSENT),
        ('""', NumberFault.ABSENT),
        ("943476591", NumberFault.NOT_TEN_DIGITS),
        ("94347659190", NumberFault.NOT_TEN_DIGITS),
        ("943476591X", NumberFault.NOT_TEN_DIGITS),
        ("٩٤٣٤٧٦٥٩١٩", NumberFault.NOT_TEN_DIGITS),
        ("９４３４７６５９１９", NumberFault.NOT_TEN_DIGITS),
        ("9434765918", NumberFault.WRONG_CHECK_DIGIT),
        ("987 654 4321", NumberFault.WRONG_CHECK_DIGIT),
        ("999 123 4560", NumberFault.WRONG_CHECK_DIGIT),
        *((digit * 10, NumberFault.ONE_REPEATED_DIGIT) for digit in "0123456789"),
    ],
)
def test_what_is_no_number_is_named(text: str | None, fault: NumberFault) -> None:
    assert read_nhs_number(text) is fault


def test_a_prefix_whose_check_digit_would_be_ten_is_never_issued() -> None:
    prefix = "100000001"  # 10 + 2 = 12, remainder 1, check digit 10
    assert check_digit(prefix) is None
    for last in "0123456789":
        assert read_nhs_number(prefix + last) is NumberFault.WRONG_CHECK_DIGIT


def test_a_quoted_sample_that_is_correct_passes() -> None:
    assert read_nhs_number("987 654 3210") == NhsNumber("9876543210")


def test_leading_zeros_are_kept() -> None:
    number = complete("010190123")
    assert number is not None
    read = read_nhs_number(number)
    assert isinstance(read, NhsNumber)
    assert read.digits == number
    assert read.range is NumberRange.CHI


def test_no_invalid_number_can_be_made() -> None:
    with pytest.raises(ValueError, match="ten valid digits"):
        NhsNumber("1111111111")


def test_a_number_is_hidden_in_its_repr() -> None:
    assert "9434765919" not in repr(NhsNumber("9434765919"))
    assert NhsNumber("9434765919").spaced == "943 476 5919"


@pytest.mark.parametrize(
    ("nine", "expected"),
    [
        ("010190123", NumberRange.CHI),
        ("312000012", NumberRange.NOT_ISSUED),
        ("320000012", NumberRange.HC),
        ("400000012", NumberRange.NHS),
        ("500000012", NumberRange.NOT_ISSUED),
        ("732000012", NumberRange.NHS),
        ("812000012", NumberRange.NOT_ISSUED),
        ("943476591", NumberRange.NOT_ISSUED),
        ("999000001", NumberRange.TEST),
    ],
)
def test_the_range_is_told(nine: str, expected: NumberRange) -> None:
    number = complete(nine)
    assert number is not None
    assert NhsNumber(number).range is expected


@given(numbers, st.integers(0, 9), st.integers(1, 9))
def test_every_single_wrong_digit_is_detected(number: str, at: int, add: int) -> None:
    wrong = str((int(number[at]) + add) % 10)
    assert isinstance(read_nhs_number(number[:at] + wrong + number[at + 1 :]), NumberFault)


@given(numbers, st.integers(0, 8))
def test_every_swap_of_unlike_neighbours_is_detected(number: str, at: int) -> None:
    swapped = number[:at] + number[at + 1] + number[at] + number[at + 2 :]
    if swapped != number:
        assert isinstance(read_nhs_number(swapped), NumberFault)


@given(st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    assert isinstance(read_nhs_number(text), NhsNumber | NumberFault)
    assert parse_status(text).status in NhsStatus


@pytest.mark.parametrize("status", NhsStatus)
def test_a_status_is_read_in_all_its_forms(status: NhsStatus) -> None:
    for text in (f"NSTS{status}", f"nsts{status}", status.value, f" {status} "):
        reading = parse_status(text)
        assert (reading.status, reading.unknown) == (status, False)


@pytest.mark.parametrize("text", [None, "", " ", '""'])
def test_no_status_counts_as_not_traced(text: str | None) -> None:
    reading = parse_status(text)
    assert (reading.status, reading.unknown) == (NhsStatus.NOT_TRACED, False)


@pytest.mark.parametrize("text", ["NSTS09", "00", "1", "AL", "NSTS", "NSTS01x", "verified"])
def test_an_unknown_status_counts_as_not_traced_and_says_so(text: str) -> None:
    for absent in NhsStatus:
        reading = parse_status(text, absent=absent)
        assert (reading.status, reading.unknown) == (NhsStatus.NOT_TRACED, True)


def test_a_feed_that_asserts_traced_numbers_is_believed_when_silent_only() -> None:
    assert parse_status("", absent=NhsStatus.VERIFIED).status is NhsStatus.VERIFIED
    assert parse_status('""', absent=NhsStatus.VERIFIED).status is NhsStatus.NOT_TRACED


def test_a_test_number_does_not_enter_a_live_region() -> None:
    number = NhsNumber(complete("999000001") or "")
    assert admissible(number, Environment.LIVE) is Inadmissible.TEST_NUMBER_IN_LIVE
    assert admissible(number, Environment.TEST) is None


def test_a_real_number_does_not_enter_a_test_region() -> None:
    number = NhsNumber(complete("400000012") or "")
    assert admissible(number, Environment.TEST) is Inadmissible.REAL_NUMBER_IN_TEST
    assert admissible(number, Environment.LIVE) is None
