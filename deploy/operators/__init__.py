"""What operators ask on the command line: how it stands, what waits, what became of a study."""
