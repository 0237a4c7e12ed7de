"""Numbers as people write them, as pieces of a Go template (Grafana's and Prometheus' alike).

`humanize` of both is made for engineers: it writes 0.246 as "246.4m" and 48123 as "48.12k".
"""

from grafana.alerts.rule import Language

RARE = 0.05
"""Below, one digit after the point says nothing any more."""
FEW: dict[Language, str] = {"id": "kurang dari 1", "en": "fewer than 1"}
UNITS: dict[Language, tuple[str, str, str, str]] = {
    "id": ("hari", "jam", "menit", "detik"),
    "en": ("d", "h", "min", "s"),
}


def plain(value: str, language: Language) -> str:
    """48,123 and 15 and 0.6; in Indonesian 48.123 and 15 and 0,6."""
    point, thousand = (",", ".") if language == "id" else (".", ",")
    whole = f'printf "%.0f" {value}'
    # Twice: Go's expressions have no look-ahead
    whole = f'reReplaceAll "([0-9])([0-9]{{3}})$" "${{1}}{thousand}${{2}}" ({whole})'
    whole = f'reReplaceAll "([0-9])([0-9]{{3}}[.,])" "${{1}}{thousand}${{2}}" ({whole})'
    tenths = f'reReplaceAll "[.]0$" "" (printf "%.1f" {value})'
    tenths = f'reReplaceAll "[.]" "{point}" ({tenths})'
    return (
        f"{{{{ if ge {value} 9.95 }}}}{{{{ {whole} }}}}"
        f"{{{{ else if and (gt {value} 0.0) (lt {value} {RARE}) }}}}{FEW[language]}"
        f"{{{{ else }}}}{{{{ {tenths} }}}}{{{{ end }}}}"
    )


def percent(value: str) -> str:
    """A ratio in whole percent: "0.45" is written, then loses its point and its zeros."""
    digits = f'reReplaceAll "[.]" "" (printf "%.2f%%" {value})'
    return f'{{{{ reReplaceAll "^0{{1,2}}([0-9])" "${{1}}" ({digits}) }}}}'


def waited(value: str, language: Language) -> str:
    """16 min; 1 h 5 min; the seconds of a minute do not matter to people."""
    day, hour, minute, second = UNITS[language]
    said = f"humanizeDuration {value}"
    said = f'reReplaceAll "m [0-9]+s$" "m" ({said})'
    said = f'reReplaceAll "^([0-9]+)[.][0-9]+s$" "${{1}}s" ({said})'
    for short, word in (("s", second), ("m", minute), ("h", hour), ("d", day)):
        said = f'reReplaceAll "([0-9]){short}( |$)" "${{1}} {word}${{2}}" ({said})'
    return f"{{{{ {said} }}}}"
