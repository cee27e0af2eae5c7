"""Octets: spool segments, durable writes, packs and blob stores.

Standard library only, so that receiving starts fast and needs nothing but a disk;
:mod:`archive.store.s3_blobs` alone imports obstore, when it is built.
"""
