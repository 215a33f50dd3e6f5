"""The tables of docs/compose.md, rendered from those that the reader of Compose files goes by: `make compose-page`."""

import re
from collections.abc import Iterator
from pathlib import Path

from components.services.compose.keys import IGNORED, REFUSED, SECTIONS, SUPPORTED, Table

PAGE = Path(__file__).resolve().parent.parent / "docs" / "compose.md"
_BEGIN = "<!-- Rendered by `make compose-page`: edit components/services/compose/keys.py instead. -->"
_END = "<!-- End of the rendered part. -->"
_RENDERED = re.compile(re.escape(_BEGIN) + ".*" + re.escape(_END), re.DOTALL)
_VERDICTS = {SUPPORTED: "yes", IGNORED: "reported", REFUSED: "refused"}


def render(page: str) -> str:
    """The page with its rendered part made anew."""
    tables = "\n\n".join(_section(name, table) for name, table in SECTIONS.items())
    return _RENDERED.sub(lambda _: f"{_BEGIN}\n\n{tables}\n\n{_END}", page)


def _section(name: str, table: Table) -> str:
    return "\n".join((f"### `{name}`", "", "| key | taken | what becomes of it |", "|---|---|---|", *_rows(table)))


def _rows(table: Table) -> Iterator[str]:
    """Supported keys without more to say share a row."""
    plain = [f"`{key.name}`" for key in table.values() if key.verdict == SUPPORTED and not key.why]
    if plain:
        yield f"| {', '.join(plain)} | yes | |"
    for verdict, word in _VERDICTS.items():
        for key in table.values():
            if key.verdict == verdict and key.why:
                words = "; ".join(part for part in (key.why, key.fix) if part)
                yield f"| `{key.name}` | {word} | {words} |"


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text()))
