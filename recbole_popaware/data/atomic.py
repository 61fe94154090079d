"""RecBole's data sets, of every kind, read from atomic files as they are."""

from __future__ import annotations

import os
from logging import getLogger
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from recbole.data.dataset import Dataset
from recbole.utils import FeatureSource, FeatureType

from recbole_popaware.compat import fill_missing, lengths_of_values, number_tokens
from recbole_popaware.data.log_store import binary_file
from recbole_popaware.data.reader import (
    check_types,
    read_columns,
    read_header,
    release_memory,
    split_numbers,
    split_texts,
)
from recbole_popaware.errors import UsageError, shown

logger = getLogger(__name__)


class AtomicFiles(Dataset):
    """A base before one of RecBole's data sets; differs from stock in how atomic files become columns.

    * Ids such as ``NA`` or ``null`` and names with quotes are read as they are.
    * Nothing is downloaded; a data set that cannot work raises :class:`UsageError`.
    * Missing values are filled, and tokens numbered, in ways that pandas 3 knows.
    """

    inter_feat: Any

    def __init__(self, config: Any) -> None:
        with lengths_of_values():
            super().__init__(config)

    def _from_scratch(self) -> None:
        try:
            super()._from_scratch()
        except UsageError:
            raise
        except (ValueError, AssertionError) as error:  # stock's way to complain of properties and files
            raise UsageError(f"data set [{self.dataset_name}]: {error}") from error

    def _load_data(self, token: str, dataset_path: str) -> None:
        parts = self.benchmark_filename_list
        names = [token] if parts is None else [f"{token}.{part}" for part in parts]
        for name in names:
            file = Path(dataset_path, f"{name}.inter")
            if not file.is_file():
                self._check_binary(Path(dataset_path), name)
                raise UsageError(
                    f"data set [{token}] is not there: expected {file}; convert a log with "
                    f"`python -m dataset_converters parquet RAW_DIR {Path(dataset_path).parent} "
                    f"--name {token}`, or name the folder above it with --data_path"
                )
        super()._load_data(token, dataset_path)
        self._check_plays()

    def _check_binary(self, folder: Path, name: str) -> None:
        """Say why a data set that was converted with ``--binary-only`` is not enough here."""
        file = binary_file(folder, name)
        if file.is_file():
            raise UsageError(
                f"data set [{name}] has no text, {name}.inter, but its binary form only, which "
                f"{self._why_not_binary(folder, name)}; convert the log again without --binary-only"
            )

    def _why_not_binary(self, folder: Path, name: str) -> str:
        return "RecBole's own classes cannot read"

    def _needed_fields(self) -> list[str]:
        """Fields that every play must have: times too, unless nobody asks for the plays in their order."""
        by_time = self.config["eval_args"]["order"] == "TO" and self.benchmark_filename_list is None
        return [self.uid_field, self.iid_field, *[self.time_field] * by_time]

    def _check_plays(self) -> None:
        needed = self._needed_fields()
        for field in needed:
            if self.inter_feat is None or field not in self.inter_feat:
                raise UsageError(
                    f"data set [{self.dataset_name}]: the .inter file or load_col lacks the column [{field}]"
                )
        # Rows without a user or item are left out later, but only of a file that is not split beforehand.
        for field in needed if self.benchmark_filename_list else needed[2:]:
            without = int(self.inter_feat[field].isna().sum())
            if without:
                raise UsageError(f"data set [{self.dataset_name}]: {without:,} rows have no [{field}]")

    def build(self) -> list[Any]:
        """Split the rows; differs from stock in that two files split beforehand leave no rows to validate."""
        parts: list[Any] = super().build()
        if len(parts) == 2:
            parts.insert(1, self.copy(self.inter_feat[:0]))
        return parts

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
        self._check_filtered(loaded)

    def _check_filtered(self, loaded: int) -> None:
        """Check what the filters leave of ``loaded`` rows."""

    def _filter_nan_user_or_item(self) -> None:
        # Stock writes the number of every such row into the log.
        known = self.inter_feat[self.uid_field].notna() & self.inter_feat[self.iid_field].notna()
        if not known.all():
            self._log_left_out((~known).sum(), "without a user or an item")
            self.inter_feat = self.inter_feat[known]

    def _filter_inter_by_user_or_item(self) -> None:
        before = len(self.inter_feat)
        super()._filter_inter_by_user_or_item()
        unlisted = before - len(self.inter_feat)
        if unlisted:
            self._log_left_out(unlisted, "of users or items that the .user or .item file does not list")
        if unlisted == before:
            raise ValueError("none is of a user and an item that the .user and .item files list")

    def _log_left_out(self, rows: int, reason: str) -> None:
        logger.warning("%d rows of [%s] left out, %s", rows, self.dataset_name, reason)

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

    def _discretization(self) -> None:
        for field in self.config["numerical_features"] or ():
            kind = self.field2type.get(field)
            if kind is not None and kind not in (FeatureType.FLOAT, FeatureType.FLOAT_SEQ):
                raise UsageError(
                    f"numerical_features names [{field}], but the field's type is {kind.value}; they are "
                    f"float or float_seq"
                )
        super()._discretization()

    def _drop_unused_col(self) -> None:
        needed = self._needed_fields()
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

    def _load_user_or_item_feat(
        self, token: str, dataset_path: str, source: FeatureSource, field_name: str
    ) -> Any:
        file = Path(dataset_path, f"{token}.{source.value}")
        if os.path.lexists(file) and not file.is_file():
            raise UsageError(f"{file} is no file; take it away or put the features of [{token}] there")
        return super()._load_user_or_item_feat(token, dataset_path, source, field_name)

    def _load_feat(self, filepath: str, source: FeatureSource | str) -> Any:
        load_col, unload_col = self._get_load_and_unload_col(source)
        if load_col == set():
            return None
        path = os.fspath(filepath)
        separator, encoding = self.config["field_separator"], self.config["encoding"] or "utf-8"
        fields = read_header(path, separator, encoding)
        keep = [
            field
            for field in fields
            if (load_col is None or field in load_col) and field not in (unload_col or ())
        ]
        if not keep:
            logger.warning("no column of %s is loaded", filepath)
            return None
        self._check_fields(path, {field: fields[field] for field in keep}, source)
        frame = read_columns(path, fields, keep, separator, encoding, bool(self.config["lenient"]))
        if source == "link":  # pairs of two fields that other files describe
            return frame
        for field in keep:
            kind = FeatureType(fields[field])
            self.field2source[field], self.field2type[field] = source, kind
            self.field2seqlen[field] = 1
            if kind in (FeatureType.FLOAT, FeatureType.FLOAT_SEQ):
                self.field2bucketnum[field] = 2
            if kind in (FeatureType.TOKEN_SEQ, FeatureType.FLOAT_SEQ):
                frame[field] = self._split_sequences(path, frame[field])
        return self._one_row_each(path, frame, source)

    def _check_fields(self, path: str, fields: dict[str, str], source: FeatureSource | str) -> None:
        """Check what the fields of a file are and whether another file has them."""
        if source == FeatureSource.INTERACTION:
            numbers = dict.fromkeys((self.time_field, self.config["RATING_FIELD"]), "float")
            check_types(path, fields, {self.uid_field: "token", self.iid_field: "token", **numbers})
        key = self._keys.get(source)
        if key is None:
            return
        if key not in fields:
            raise UsageError(f"{path}: the header or load_col lacks the column [{key}:token]")
        check_types(path, fields, {key: "token"})
        for field in fields:
            if field != key and field in self.field2source:
                raise UsageError(
                    f"{path}: another file of the data set has a column [{field}] too; rename one, or leave "
                    f"one out with unload_col"
                )

    def _one_row_each(self, path: str, frame: pd.DataFrame, source: FeatureSource | str) -> pd.DataFrame:
        """Keep the first row of each user or item of a file of features."""
        key = self._keys.get(source)
        if key is None:
            return frame
        again, nameless = frame[key].duplicated(), frame[key].isna()
        kept = frame[~again & ~nameless]
        if len(kept) < len(frame):
            logger.warning(
                "%s: %d rows without [%s] and %d that repeat one are left out",
                path,
                nameless.sum(),
                key,
                (again & ~nameless).sum(),
            )
        return kept.reset_index(drop=True)

    @property
    def _keys(self) -> dict[FeatureSource | str, str]:
        return {FeatureSource.USER: self.uid_field, FeatureSource.ITEM: self.iid_field}

    def _split_sequences(self, path: str, texts: pd.Series) -> list[np.ndarray]:
        separator, limit = self.config["seq_separator"], (self.config["seq_len"] or {}).get(texts.name)
        if self.field2type[texts.name] == FeatureType.TOKEN_SEQ:
            sequences = split_texts(texts, separator, limit)
        else:
            sequences = split_numbers(path, texts, separator, limit)
        self.field2seqlen[texts.name] = max(map(len, sequences), default=0)
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
