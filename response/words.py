"""The words that the comms team reads, in Indonesian and English (gettext, compiled at start).

English stands in the code; `locale/id.po` has the Indonesian. Reading the .po file takes a few
milliseconds and leaves no compiled file to forget.
"""

from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Literal, get_args

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

from detectors.language.taxonomy import Taxonomy, default

Language = Literal["id", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


@cache
def catalog(language: Language) -> NullTranslations:
    """The translations of a language; English is the code's own."""
    if language == "en":
        return NullTranslations()
    source = files("response") / "locale" / f"{language}.po"
    compiled = BytesIO()
    write_mo(compiled, read_po(BytesIO(source.read_bytes()), locale=language))
    compiled.seek(0)
    return Translations(compiled)


def say(language: Language, text: str, **values: object) -> str:
    """A text in a language, with its {placeholders} filled."""
    said = str(catalog(language).ugettext(text))
    return said.format(**values) if values else said


def chosen(wanted: str | None, default: Language) -> Language:
    """The language that a visitor asks for, if we speak it."""
    for language in LANGUAGES:
        if wanted == language:
            return language
    return default


def topics(language: Language, taxonomy: Taxonomy | None = None) -> dict[str, str]:
    """Titles of the topics by name; None: of the topics that ship."""
    taxonomy = taxonomy or default()
    return {name: taxonomy.title(name, language) for name in taxonomy.names}
