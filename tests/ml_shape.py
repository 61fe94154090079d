"""A simulated data set of ml-100k's shape: RecBole's example data are not ours to ship."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from dataset_converters import convert

NAME = "ml-shape"  # not ml-100k, for which RecBole reads the files of its own package
GENRES = ("Action", "Comedy", "Drama", "Horror", "Musical", "Western")
LOAD_COL = {
    "inter": ["user_id", "item_id", "rating", "timestamp"],
    "user": ["user_id", "age", "gender", "occupation"],
    "item": ["item_id", "release_year", "class"],
}
KG_LOAD_COL = {
    "inter": LOAD_COL["inter"],
    "kg": ["head_id", "relation_id", "tail_id"],
    "link": ["item_id", "entity_id"],
}


def write_ml_shape(
    folder: Path,
    name: str = NAME,
    *,
    users: int = 40,
    items: int = 60,
    plays: int = 1_500,
    repeats: bool = False,
    properties: dict | None = None,
) -> Path:
    """Write ``folder/name`` with the files ``.inter``, ``.user``, ``.item``, ``.kg`` and ``.link``.

    Args:
        folder: Folder of data sets, RecBole's ``data_path``.
        name: Name of the data set.
        users: Users to make up.
        items: Items to make up; some may go unplayed.
        plays: Plays to make up, at least 5 a user.
        repeats: Keep all plays of an item by a user instead of the first, as in ml-100k.
        properties: The data set's own ``name.yaml``; default: none is written.

    Returns:
        The folder of the data set.
    """
    target = folder / name
    made = convert("simulate", None, folder, name=name, users=users, items=items, plays=plays, days=60).folder
    log = pd.read_csv(made / f"{name}.inter", sep="\t", dtype=str)
    for file in made.iterdir():
        file.unlink()
    rng = np.random.default_rng(7)
    log = log.sort_values("timestamp:float", kind="stable")
    if not repeats:
        log = log.drop_duplicates(["user_id:token", "item_id:token"])
    inter = log[["user_id:token", "item_id:token"]].assign(
        **{"rating:float": rng.integers(1, 6, len(log)), "timestamp:float": log["timestamp:float"]}
    )
    _write(target / f"{name}.inter", inter)
    _write(target / f"{name}.user", _users(sorted(inter["user_id:token"].unique()), rng))
    listed = sorted(inter["item_id:token"].unique())
    _write(target / f"{name}.item", _items(listed, rng))
    _write(target / f"{name}.kg", _triples(listed, rng))
    linked = listed[: len(listed) * 9 // 10]  # as in ml-100k, some items are no entity
    links = {"item_id:token": linked, "entity_id:token": [f"m.{item}" for item in linked]}
    _write(target / f"{name}.link", pd.DataFrame(links))
    if properties is not None:
        (target / f"{name}.yaml").write_text(yaml.safe_dump(properties))
    return target


def _write(file: Path, frame: pd.DataFrame) -> None:
    frame.to_csv(file, sep="\t", index=False)


def _users(users: list[str], rng: np.random.Generator) -> pd.DataFrame:
    n = len(users)
    return pd.DataFrame(
        {
            "user_id:token": users,
            "age:token": rng.integers(15, 70, n),
            "gender:token": rng.choice(["F", "M"], n),
            "occupation:token": rng.choice(["artist", "doctor", "student", "writer"], n),
            "zip_code:token": rng.integers(10_000, 99_999, n),
        }
    )


def _items(items: list[str], rng: np.random.Generator) -> pd.DataFrame:
    classes = [" ".join(rng.choice(GENRES, rng.integers(1, 4), replace=False)) for _ in items]
    return pd.DataFrame(
        {
            "item_id:token": items,
            "movie_title:token_seq": [f"Film {number}" for number in range(len(items))],
            "release_year:token": rng.integers(1930, 1999, len(items)),
            "class:token_seq": classes,
        }
    )


def _triples(items: list[str], rng: np.random.Generator) -> pd.DataFrame:
    """Each item has a director, an actor and a genre; directors were born in towns."""
    triples = []
    for item in items:
        for relation, size in (("director", 8), ("actor", 20), ("genre", len(GENRES))):
            triples.append((f"m.{item}", f"film.{relation}", f"m.{relation}{rng.integers(size)}"))
    triples += [(f"m.director{n}", "person.born_in", f"m.town{n % 3}") for n in range(8)]
    frame = pd.DataFrame(triples, columns=["head_id:token", "relation_id:token", "tail_id:token"])
    return frame.drop_duplicates()
