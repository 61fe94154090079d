"""Turn raw listening logs into RecBole atomic files: ``python -m dataset_converters --help``."""
