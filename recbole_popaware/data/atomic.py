"""RecBole's sequential data set, read from atomic files as they are."""

from __future__ import annotations

import os
from logging import getLogger
from pathlib import Path
from typing import Any

import numpy as np
from recbole.data.dataset import SequentialDataset
from recbole.utils import FeatureSource, FeatureType

from recbole_popaware.compat import fill_missing, number_tokens
from recbole_popaware.data.reader import read_columns, read_header, release_memory
from recbole_popaware.errors import UsageError, shown

logger = getLogger(__name__)


class AtomicDataset(SequentialDataset):
    """RecBole's sequential data set; differs from stock in how atomic files become columns.

    * Ids such as ``NA`` or ``null`` and names with quotes are read as they stand.
    * Nothing is downloaded; a data set that cannot work raises :class:`UsageError`.
    * Missing values are filled, and tokens numbered, in ways that pandas 3 knows.
    """

    inter_feat: Any

    def _load_data(self, token: str, dataset_path: str) -> None:
        parts = self.benchmark_filename_list
        names = [token] if parts is None else [f"{token}.{part}" for part in parts]
        for name in names:
            file = Path(dataset_path, f"{name}.inter")
            if not file.is_file():
                raise UsageError(
                    f"data set [{token}] is not there: expected {file}; convert a log with "
                    f"`python -m dataset_converters parquet RAW_DIR {Path(dataset_path).parent} "
                    f"--name {token}`, or name the folder above it with --data_path"
                )
        super()._load_data(token, dataset_path)
        self._check_plays()

    def _check_plays(self) -> None:
        for field in (self.uid_field, self.iid_field, self.time_field):
            if self.inter_feat is None or field not in self.inter_feat:
                raise UsageError(
                    f"data set [{self.dataset_name}]: the .inter file or load_col lacks the column [{field}]"
                )
        untimed = int(self.inter_feat[self.time_field].isna().sum())
        if untimed:
            raise UsageError(f"data set [{self.dataset_name}]: {untimed} rows have no [{self.time_field}]")

    def _data_filtering(self) -> None:
        loaded = len(self.inter_feat)
        try:
            super()._data_filtering()
        except ValueError as error:  # a field that is not there, an interval that is none, nothing left
            raise UsageError(
                f"data set [{self.dataset_name}]: the filters cannot work on its {loaded} rows: {error}"
            ) from error
        kept = len(self.inter_feat)
        if kept < loaded:
            logger.info(
                "%d of %d rows of [%s] left out by the filters of the configuration",
                loaded - kept,
                loaded,
                self.dataset_name,
            )
        for field, what in ((self.uid_field, "users"), (self.iid_field, "items")):
            n = self.inter_feat[field].nunique()
            if n < 2:
                raise UsageError(
                    f"data set [{self.dataset_name}] holds {n} {what} in {kept} rows "
                    f"({loaded} before filtering); at least 2 are needed"
                )

    def _filter_by_field_value(self) -> None:
        for field, kept in (self.config["val_interval"] or {}).items():
            kind = self.field2type.get(field)
            wanted = FeatureType.FLOAT if isinstance(kept, str) else FeatureType.TOKEN
            if kind is not None and kind != wanted:  # stock would drop rows at random
                raise UsageError(
                    f"val_interval of [{field}] is [{shown(kept)}], but the field's type is {kind.value}; "
                    f"float fields need an interval, token fields a list, and sequences are not filtered"
                )
        super()._filter_by_field_value()

    def _drop_unused_col(self) -> None:
        needed = (self.uid_field, self.iid_field, self.time_field)
        for kind, fields in (self.config["unused_col"] or {}).items():
            if getattr(self, f"{kind}_feat", None) is None or set(fields) & set(needed):
                raise UsageError(
                    f"unused_col is {self.config['unused_col']}, but must name kinds of files that are "
                    f"loaded, and columns other than {', '.join(needed)}"
                )
        super()._drop_unused_col()

    def _filter_by_inter_num(self) -> None:
        # Stock counts every play in a Python loop, even where its own default lets all pass.
        intervals = {self.config["user_inter_num_interval"], self.config["item_inter_num_interval"]}
        if intervals - {None, "[0,inf)"}:
            super()._filter_by_inter_num()

    def _load_feat(self, filepath: str, source: FeatureSource | str) -> Any:
        load_col, unload_col = self._get_load_and_unload_col(source)
        if load_col == set():
            return None
        separator, encoding = self.config["field_separator"], self.config["encoding"] or "utf-8"
        fields = read_header(os.fspath(filepath), separator, encoding)
        keep = [
            field
            for field in fields
            if (load_col is None or field in load_col) and field not in (unload_col or ())
        ]
        if not keep:
            logger.warning("no column of %s is loaded", filepath)
            return None
        frame = read_columns(filepath, fields, keep, separator, encoding)
        for field in keep:
            kind = FeatureType(fields[field])
            self.field2source[field], self.field2type[field] = source, kind
            self.field2seqlen[field] = 1
            if kind in (FeatureType.FLOAT, FeatureType.FLOAT_SEQ):
                self.field2bucketnum[field] = 2
            if kind in (FeatureType.TOKEN_SEQ, FeatureType.FLOAT_SEQ):
                frame[field] = self._split_sequences(field, frame[field].fillna("").tolist())
        return frame

    def _split_sequences(self, field: str, texts: list[str]) -> list[np.ndarray]:
        to = str if self.field2type[field] == FeatureType.TOKEN_SEQ else float
        separator = self.config["seq_separator"]
        limit = (self.config["seq_len"] or {}).get(field)
        dtype = object if to is str else np.float64
        sequences = [
            np.array([to(part) for part in text.split(separator) if part][:limit], dtype) for text in texts
        ]
        self.field2seqlen[field] = max(map(len, sequences), default=0)
        return sequences

    def _remap(self, remap_list: list[tuple[Any, str, FeatureType]]) -> None:
        if not remap_list:
            return
        numbered, tokens = number_tokens([feat[field] for feat, field, _ in remap_list])
        token_id = {token: number for number, token in enumerate(tokens)}
        for (feat, field, _), numbers in zip(remap_list, numbered):
            self.field2id_token.setdefault(field, tokens)
            self.field2token_id.setdefault(field, token_id)
            feat[field] = numbers

    def _fill_nan(self) -> None:
        for name in self.feat_name_list:
            setattr(self, name, fill_missing(getattr(self, name), self.field2type))
        release_memory()  # by now the columns as they were read are replaced
