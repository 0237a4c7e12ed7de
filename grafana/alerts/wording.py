"""Texts with placeholders become templates of Grafana or of Prometheus."""

from collections.abc import Callable, Iterable, Mapping

from grafana.alerts.rule import Language, Number, Rule, Style, Text

SIGNALS: dict[str, Text] = {
    "volume": Text(id="Sebutan per menit", en="Mentions per minute"),
    "negative": Text(id="Sebutan negatif per menit", en="Negative mentions per minute"),
    "negative_share": Text(id="Porsi negatif", en="Negative share"),
    "reach": Text(id="Jangkauan per menit", en="Reach per minute"),
    "authors": Text(id="Penulis berbeda per menit", en="Distinct authors per minute"),
    "velocity": Text(id="Jangkauan satu keluhan", en="Reach of a single complaint"),
    "slow_burn": Text(id="Keluhan yang menumpuk", en="Complaints piling up"),
}
"""What people call the signals of `detectors.anomaly.bank.SIGNALS`."""

LEVELS: dict[str, Text] = {
    "watch": Text(id="WASPADA", en="WATCH"),
    "alert": Text(id="SIAGA", en="ALERT"),
    "crisis": Text(id="AWAS", en="CRISIS"),
}

UNKNOWN = Text(id="belum diketahui", en="not yet known")


def for_grafana(rule: Rule, text: Text, language: Language) -> str:
    """The text as a template of a Grafana annotation."""
    values = {label: f"{{{{ $labels.{label} }}}}" for label in rule.labels}
    for name, style in _numbers(rule):
        # `index`: a number without a series is a zero value there, and an error as a field
        number = f'(index $values "{name}")'
        shown = _humanized(f"{number}.Value", style, f"{number}.Labels.signal")
        # A rule without labels has none to tell "no series" by; its numbers always exist
        unknown = f"{{{{ else }}}}{_in(UNKNOWN, language)}{{{{ end }}}}"
        known = f"{{{{ if {number}.Labels }}}}"
        values[name] = f"{known}{shown}{unknown}" if rule.labels else shown
    values["signal"] = _signal('(index $values "observed").Labels.signal', language)
    values["level"] = _cases("$labels.severity", LEVELS, language)
    return _in(text, language).format_map(values)


def for_prometheus(rule: Rule, text: Text, language: Language) -> str:
    """The text as a template of a Prometheus annotation; numbers are recorded series."""
    values = {label: f"{{{{ $labels.{label} }}}}" for label in rule.labels}
    values["value"] = _humanized("$value", rule.style, "")
    values["level"] = _cases("$labels.severity", LEVELS, language)
    for number in rule.numbers:
        series = f"{recorded_as(rule, number)}{_same_labels(rule)}"
        query = f"printf {_quoted(series)}{_label_values(rule)} | query"
        shown = _humanized("(. | first | value)", number.style, '(. | first | label "signal")')
        values[number.name] = (
            f"{{{{ with {query} }}}}{shown}{{{{ else }}}}{_in(UNKNOWN, language)}{{{{ end }}}}"
        )
        if number.name == "observed":
            signal = _signal('(. | first | label "signal")', language)
            values["signal"] = f"{{{{ with {query} }}}}{signal}{{{{ end }}}}"
    return _in(text, language).format_map(values)


def recorded_as(rule: Rule, number: Number) -> str:
    """Name of the recording rule of a number; rules of one thread share it."""
    return f"{'_'.join(rule.labels) or 'all'}:siaga_{rule.thread}_{number.name}"


def _numbers(rule: Rule) -> Iterable[tuple[str, Style]]:
    return (("value", rule.style), *((number.name, number.style) for number in rule.numbers))


def _humanized(value: str, style: Style, signal: str) -> str:
    functions: dict[Style, Callable[[], str]] = {
        "count": lambda: f"{{{{ humanize {value} }}}}",
        "ratio": lambda: f"{{{{ humanizePercentage {value} }}}}",
        "duration": lambda: f"{{{{ humanizeDuration {value} }}}}",
        "signal": lambda: (
            f'{{{{ if eq {signal} "negative_share" }}}}{{{{ humanizePercentage {value} }}}}'
            f"{{{{ else }}}}{{{{ humanize {value} }}}}{{{{ end }}}}"
        ),
    }
    return functions[style]()


def _signal(label: str, language: Language) -> str:
    return _cases(label, SIGNALS, language)


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


def _quoted(text: str) -> str:
    return f"`{text}`"
