"""What both tiers are: one archive of DICOM objects and documents."""
