"""The Standard's vocabulary as types. Imports nothing of ours but :mod:`archive.errors`."""
