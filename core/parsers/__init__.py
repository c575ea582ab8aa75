"""Bytes of build output to events: pure, any cut of the bytes."""
