"""`siaga connector new`: a package that works, with its test, to start from."""

import re
from importlib.resources import files
from pathlib import Path

from streams.service import CannotStart

TEMPLATES = {
    "pyproject.toml.txt": "pyproject.toml",
    "connector.py.txt": "{package}.py",
    "test_connector.py.txt": "test_{package}.py",
}

NAME = re.compile(r"^[a-z][a-z0-9_]{1,40}$")


def _slots(name: str, package: str, title: str) -> tuple[tuple[str, str], ...]:
    return (("NAME", name), ("ENV", name.upper()), ("PACKAGE", package), ("TITLE", title))


def write(name: str, into: Path) -> str:
    """Write the package into a new folder; return what to do next.

    Raises
    ------
    CannotStart
        If the name cannot be a package's, or the folder is there already.
    """
    if not NAME.match(name):
        raise CannotStart(f"{name!r} cannot be a package: lower case letters, digits and _ only")
    package = f"siaga_{name}"
    folder = into / package.replace("_", "-")
    if folder.exists():
        raise CannotStart(f"{folder} is there already; choose another name or --into")
    title = "".join(part.capitalize() for part in name.split("_"))
    folder.mkdir(parents=True)
    templates = files("connectors.shell") / "templates"
    for template, target in TEMPLATES.items():
        text = (templates / template).read_text(encoding="utf-8")
        for slot, value in _slots(name, package, title):
            text = text.replace(f"@{slot}@", value)
        path = folder / target.format(package=package)
        path.write_text(text, encoding="utf-8")
    return (
        f"{folder} is made. It works as it is, in the environment that Siaga is installed in:\n"
        f"  cd {folder} && pip install -e . pytest && pytest\n"
        f'Then change fetch() in {package}.py to your source, and use it with type = "{name}".'
    )
