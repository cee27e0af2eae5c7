"""Real peers that tests talk to: dcmtk, Orthanc, a recording Storage SCP, the shared files."""
