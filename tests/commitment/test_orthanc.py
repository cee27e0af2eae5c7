"""Orthanc as the requester of storage commitment."""

from archive.store.part10 import file_meta
from deploy.demo.modality import WireObject
from tests.faults.objects import images
from tests.faults.tiers import Node
from tests.peers.orthanc import orthanc
from tests.peers.processes import LOOPBACK, Endpoint, needs_programs, wait_until


def part10(one: WireObject) -> bytes:
    meta = file_meta(
        sop_class_uid=one.sop_class_uid,
        sop_instance_uid=one.sop_instance_uid,
        transfer_syntax=one.transfer_syntax,
        calling_ae="",
        called_ae="",
    )
    with one.opened() as stream:
        return meta + stream.read()


@needs_programs("Orthanc")
def test_orthanc_learns_that_what_it_sent_is_committed(node: Node, orthanc_port: int) -> None:
    objects = images(3)
    door = Endpoint(LOOPBACK, node.port("dicom"), "RXA")
    with orthanc(port=orthanc_port, peers={"node": door}) as sender:
        resources = [sender.upload(part10(one)) for one in objects]
        sender.store("node", resources)
        asked = {
            "DicomInstances": [
                {
                    "SOPClassUID": one.sop_class_uid,
                    "SOPInstanceUID": one.sop_instance_uid,
                }
                for one in objects
            ]
        }
        transaction = sender.post("/modalities/node/storage-commitment", asked)["ID"]

        def status() -> str:
            return str(sender.get(f"/storage-commitment/{transaction}")["Status"])

        wait_until(lambda: status() != "Pending", what="a result", seconds=30)
        assert status() == "Success"
