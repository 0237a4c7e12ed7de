"""The themes of all brands, folded from scored mentions."""

from typing import Final

from detectors.language.themes import Theme, Themes, ThemesConfig
from streams.records import Run, Scored, ScoredBatch

MOST_BRANDS: Final = 300
"""Brands remembered, about 1 MB each; those not mentioned for longest go first."""
THEMES_MOST: Final = 5
"""Themes shown a brand: each is a series in Prometheus."""
LOOK_EVERY: Final = 25
"""Mentions of a brand between two looks at it: a theme shows within 30."""
PAID: Final = frozenset({"spam", "giveaway", "repost"})


class ThemeWatch:
    """Emerging themes by brand, of one run.

    Parameters
    ----------
    run
        Other runs are passed over.
    """

    def __init__(self, run: Run, config: ThemesConfig | None = None) -> None:
        self.run = run
        self.config = config or ThemesConfig()
        self.found: dict[str, list[Theme]] = {}
        """What was new at the last look, most surprising first."""
        self._brands: dict[str, Themes] = {}
        self._since: dict[str, int] = {}

    def take(self, batch: ScoredBatch) -> None:
        """Fold a batch; repeats of a record change little: an author's phrase counts once."""
        if batch.run != self.run:
            return
        themes = self._brands.pop(batch.brand, None) or Themes(self.config)
        self._brands[batch.brand] = themes  # the last mentioned stands last
        if len(self._brands) > MOST_BRANDS:
            gone = next(iter(self._brands))
            for kept in (self._brands, self.found, self._since):
                kept.pop(gone, None)
        for scored in batch.mentions:
            if not _speaks(scored):
                continue
            themes.observe(scored.mention.text, scored.mention.author)
            since = self._since[batch.brand] = self._since.get(batch.brand, 0) + 1
            if since >= LOOK_EVERY:
                self._look(batch.brand)

    def look(self) -> None:
        """Look at every brand that was mentioned since the last look."""
        for brand in list(self._since):
            self._look(brand)

    def _look(self, brand: str) -> None:
        del self._since[brand]
        self.found[brand] = self._brands[brand].emerging(THEMES_MOST)


def _speaks(scored: Scored) -> bool:
    """Whether a mention is one person's own words, said once."""
    mention = scored.mention
    return not (
        mention.own
        or mention.deleted
        or scored.fate == "revision"
        or PAID.intersection(scored.flags)
    )
