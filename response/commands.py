"""Commands of the response package."""

import typer

app = typer.Typer(help="What people do about a crisis.")
