"""The DICOM doors: association, verification, storage, query and retrieve (PS3.4, PS3.7, PS3.8)."""
