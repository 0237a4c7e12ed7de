"""Texts with placeholders become templates of Grafana or of Prometheus.

Neither can calculate in a template, so a rule that tells a rate asks for it twice: a minute and an
hour (`NAME_hourly`); the text takes the one that a person can picture ("15 an hour", not "0.25 a
minute"). What is usual is told in the unit of what is observed, and by the hour if that leaves
nothing to read ("2.5 a minute, usually 0.7 an hour").
"""

from collections.abc import Mapping
from dataclasses import dataclass

from grafana.alerts.amounts import RARE, percent, plain, waited
from grafana.alerts.rule import Language, Number, Rule, Style, Text
from streams.levels import LEVEL_WORDS

SIGNALS: dict[str, Text] = {
    "volume": Text(id="Sebutan", en="Mentions"),
    "negative": Text(id="Sebutan negatif", en="Negative mentions"),
    "negative_share": Text(id="Porsi negatif", en="Negative share"),
    "reach": Text(id="Orang yang terjangkau", en="People reached"),
    "authors": Text(id="Penulis berbeda", en="Distinct authors"),
    "velocity": Text(id="Jangkauan satu keluhan", en="Reach of a single complaint"),
    "slow_burn": Text(id="Keluhan yang menumpuk", en="Complaints piling up"),
}
"""What people call the signals of `detectors.anomaly.bank.SIGNALS`."""

LEVELS: dict[str, Text] = {
    en.lower(): Text(id=local, en=en)
    for local, en in zip(LEVEL_WORDS["id"][1:], LEVEL_WORDS["en"][1:], strict=True)
}

UNKNOWN = Text(id="belum diketahui", en="not yet known")
PEOPLE = Text(id=" orang", en=" people")
A_MINUTE = Text(id=" per menit", en=" a minute")
AN_HOUR = Text(id=" per jam", en=" an hour")
HOURLY_BELOW = 1.0
"""A minute; what is rarer is told by the hour."""


@dataclass(frozen=True)
class Known:
    """How a template names one number: its value, its signal, and whether there is any."""

    value: str
    signal: str
    exists: str = ""
    """Empty: it always does."""


def for_grafana(rule: Rule, text: Text, language: Language) -> str:
    """The text as a template of a Grafana annotation."""
    names = ("value", *(number.name for number in rule.numbers))
    # `index`: a number without a series is a zero value there, and an error as a field
    asked = "".join(f'{{{{ ${name} := index $values "{name}" }}}}' for name in names)
    known = {
        # A rule without labels has none to tell "no series" by; its numbers always exist
        name: Known(
            f"${name}.Value", f"${name}.Labels.signal", f"${name}.Labels" if rule.labels else ""
        )
        for name in names
    }
    return asked + _filled(rule, text, language, known)


def for_prometheus(rule: Rule, text: Text, language: Language) -> str:
    """The text as a template of a Prometheus annotation; numbers are recorded series."""
    known, asked = {"value": Known("$value", "")}, ""
    for number in rule.numbers:
        name = f"${number.name}"
        series = f"`{recorded_as(rule, number)}{_same_labels(rule)}`"
        asked += f"{{{{ {name} := printf {series}{_label_values(rule)} | query }}}}"
        value, signal = f"({name} | first | value)", f'({name} | first | label "signal")'
        known[number.name] = Known(value, signal, name)
    return asked + _filled(rule, text, language, known)


def recorded_as(rule: Rule, number: Number) -> str:
    """Name of the recording rule of a number; rules of one thread share it."""
    return f"{'_'.join(rule.labels) or 'all'}:siaga_{rule.thread}_{number.name}"


def _filled(rule: Rule, text: Text, language: Language, known: Mapping[str, Known]) -> str:
    values = {label: f"{{{{ $labels.{label} }}}}" for label in rule.labels}
    styles: dict[str, Style] = {"value": rule.style}
    styles |= {number.name: number.style for number in rule.numbers}
    for name, number in known.items():
        if styles[name] == "signal":
            said = _of_signal(name, language, known)
        elif styles[name] == "ratio":
            said = percent(number.value)
        elif styles[name] == "duration":
            said = waited(number.value, language)
        else:
            said = plain(number.value, language)
        values[name] = _unless_unknown(said, number, language)
    if "observed" in known:
        signal = _cases(known["observed"].signal, SIGNALS, language)
        values["signal"] = _unless_unknown(signal, known["observed"], language)
    values["level"] = _cases("$labels.severity", LEVELS, language)
    return _in(text, language).format_map(values)


def _of_signal(name: str, language: Language, known: Mapping[str, Known]) -> str:
    """A share, a number of people, or a rate by the minute or the hour, by the signal."""
    number, observed = known[name], known["observed"]
    people, minute, hour = (
        _in(unit, language) if name == "observed" else "" for unit in (PEOPLE, A_MINUTE, AN_HOUR)
    )
    by_minute, by_hour = (plain(known[n].value, language) for n in (name, f"{name}_hourly"))
    # Distinct authors of an hour are not sixty times those of a minute
    single = f'eq {observed.signal} "authors"'
    rare = f"and (gt {number.value} 0.0) (lt {number.value} {RARE})"
    return (
        f'{{{{ if eq {observed.signal} "negative_share" }}}}{percent(number.value)}'
        f'{{{{ else if eq {observed.signal} "velocity" }}}}{by_minute}{people}'
        f"{{{{ else if {single} }}}}{by_minute}{minute}"
        f"{{{{ else if lt {observed.value} {HOURLY_BELOW} }}}}{by_hour}{hour}"
        f"{{{{ else if {rare} }}}}{by_hour}{_in(AN_HOUR, language)}"
        f"{{{{ else }}}}{by_minute}{minute}{{{{ end }}}}"
    )


def _unless_unknown(said: str, number: Known, language: Language) -> str:
    if not number.exists:
        return said
    return f"{{{{ if {number.exists} }}}}{said}{{{{ else }}}}{_in(UNKNOWN, language)}{{{{ end }}}}"


def _cases(label: str, words: Mapping[str, Text], language: Language) -> str:
    cases = [
        f'{{{{ {"if" if i == 0 else "else if"} eq {label} "{name}" }}}}{_in(text, language)}'
        for i, (name, text) in enumerate(words.items())
    ]
    return f"{''.join(cases)}{{{{ else }}}}Siaga{{{{ end }}}}"


def _in(text: Text, language: Language) -> str:
    return text.id if language == "id" else text.en


def _same_labels(rule: Rule) -> str:
    return "{" + ",".join(f"{label}=%q" for label in rule.labels) + "}" if rule.labels else ""


def _label_values(rule: Rule) -> str:
    return "".join(f" $labels.{label}" for label in rule.labels)
