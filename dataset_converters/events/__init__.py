"""Events between reading and writing: cleaned, held in memory or on disk, selected, ordered."""
