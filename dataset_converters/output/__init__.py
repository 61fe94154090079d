"""The files of a data set: features, counts, statistics, and how they appear at once."""
