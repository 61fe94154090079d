"""One kind of raw log a module, each with its ``SOURCE``."""
