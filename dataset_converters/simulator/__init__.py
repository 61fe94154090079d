"""Listening that never was: tracks, listeners and their plays."""
