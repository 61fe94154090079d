"""Search for good properties: RecBole's HyperTuning, one trial after the other, or Ray Tune, many at once."""
