"""Scratch worlds, and proofs in them of what an edit rebuilds."""
