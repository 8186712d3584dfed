"""Artifacts: a database as a folder of plain files, packed, checked and loaded elsewhere."""
