"""Evaluation that understands repeated listening."""
