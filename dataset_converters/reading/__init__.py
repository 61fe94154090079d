"""Bytes, lines, columns and times, whatever the log."""
