"""How sources that know MusicBrainz ids name their items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc

from dataset_converters.common.arrays import is_blank
from dataset_converters.common.options import Option
from dataset_converters.common.readers import one_of

_DASH = " \u2013 "


@dataclass(frozen=True)
class ItemKeyOptions:
    """How to name items.

    Attributes:
        item_key: ``mbid`` takes the MusicBrainz id of the track, and plays without one are dropped;
            ``name`` takes "artist – track".
    """

    item_key: Annotated[
        str,
        Option(
            one_of("mbid", "name"),
            "mbid: MusicBrainz id, plays without one are dropped; name: artist and track",
            "{mbid,name}",
        ),
    ] = "mbid"

    def name_items(
        self, mbid: pa.Array, artist: pa.Array, track: pa.Array, without_mbid: str
    ) -> tuple[pa.Array, str]:
        """Return the id of each play's item, blank where it has none, and the reason to drop such plays.

        Args:
            mbid: MusicBrainz ids, strings like the others.
            artist: Names of the artists.
            track: Names of the tracks.
            without_mbid: Reason to drop plays without a MusicBrainz id.
        """
        if self.item_key == "mbid":
            return mbid, without_mbid
        return _join_names(artist, track), "no name of the artist or the track"


def _join_names(artist: pa.Array, track: pa.Array) -> pa.Array:
    """Return "artist – track", null where either is missing or empty."""
    joined = pc.binary_join_element_wise(artist, track, _DASH)
    missing = pc.or_(is_blank(artist), is_blank(track))
    return pc.if_else(missing, pa.scalar(None, pa.string()), joined)
