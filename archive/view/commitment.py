"""Action and Event Information of Storage Commitment as Data Sets (PS3.4 Tables J.3-1, J.3-2)."""

import warnings
from collections.abc import Iterable
from io import BytesIO

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from archive.errors import InvalidUid, MalformedMessage
from archive.view.transcode import UNREADABLE
from archive.words.commitment import CommitmentRequest, CommitmentResult, Judgement, Referenced
from archive.words.uids import parse_uid


def read_action(octets: bytes, transfer_syntax: str) -> CommitmentRequest:
    """Return what Action Information asks.

    Raises:
        MalformedMessage: it is no Data Set, names no Transaction UID or no instance, or a UID
            breaks PS3.5 Section 9.1; the sentence says which.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _request(_decoded(octets, UID(transfer_syntax)))
    except InvalidUid as error:
        raise MalformedMessage("A UID breaks PS3.5 Section 9.1.") from error
    except UNREADABLE as error:
        raise MalformedMessage("The Action Information cannot be read.") from error


def event_information(result: CommitmentResult, *, retrieve_ae: str) -> Dataset:
    """Return the Event Information that tells a result.

    ``retrieve_ae`` stands in each committed item: from there it may be retrieved.
    """
    information = Dataset()
    information.TransactionUID = result.transaction_uid
    committed = [one for one in result.judgements if one.failure is None]
    failed = [one for one in result.judgements if one.failure is not None]
    if failed:
        information.FailedSOPSequence = Sequence(map(_failed, failed))
    if committed:
        information.ReferencedSOPSequence = Sequence(_committed(committed, retrieve_ae))
    return information


def _decoded(octets: bytes, syntax: UID) -> Dataset:
    return read_dataset(
        BytesIO(octets),
        is_implicit_VR=syntax.is_implicit_VR,
        is_little_endian=syntax.is_little_endian,
    )


def _request(information: Dataset) -> CommitmentRequest:
    transaction_uid = str(information.get("TransactionUID") or "")
    if not transaction_uid:
        raise MalformedMessage("There is no Transaction UID (0008,1195).")
    items = tuple(_referenced(item) for item in information.get("ReferencedSOPSequence") or ())
    if not items:
        raise MalformedMessage("There is no item in Referenced SOP Sequence (0008,1199).")
    return CommitmentRequest(parse_uid(transaction_uid), items)


def _referenced(item: Dataset) -> Referenced:
    return Referenced(
        parse_uid(str(item.get("ReferencedSOPClassUID") or "")),
        parse_uid(str(item.get("ReferencedSOPInstanceUID") or "")),
    )


def _committed(judgements: Iterable[Judgement], retrieve_ae: str) -> Iterable[Dataset]:
    for judgement in judgements:
        item = _item(judgement)
        item.RetrieveAETitle = retrieve_ae
        yield item


def _failed(judgement: Judgement) -> Dataset:
    item = _item(judgement)
    item.FailureReason = int(judgement.failure or 0)
    return item


def _item(judgement: Judgement) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = judgement.item.sop_class_uid
    item.ReferencedSOPInstanceUID = judgement.item.sop_instance_uid
    return item
