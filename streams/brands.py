"""What is shown for the name of a brand."""

from streams.settings import RootSettings


def title_of(settings: RootSettings, brand: str) -> str:
    """Name of a brand as people write it."""
    known = settings.brands.get(brand)
    return known.title or next(iter(known.names), brand) if known else brand
