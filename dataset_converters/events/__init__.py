"""Events between reading and writing: cleaned, kept in memory or on disk, selected, ordered."""
