"""HTTP doors: DICOMweb, health, and who may open them."""
