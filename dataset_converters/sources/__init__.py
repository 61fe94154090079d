"""One kind of raw log a module, each with a function ``read_events``."""
