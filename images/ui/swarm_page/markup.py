"""HTML in which no text of others is ever markup: whatever is no `Html` already is escaped on its way in."""

import html
from collections.abc import Iterable


class Html(str):
    """Text that is HTML; only this module makes it."""

    __slots__ = ()


def tag(name: str, /, *inside: str, **attributes: str | None) -> Html:
    """An element. Texts and values of attributes are escaped; `class_` is `class`, and None leaves an attribute out."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{given}>{joined(inside)}</{name}>")


def void(name: str, /, **attributes: str) -> Html:
    """An element that holds nothing, such as `meta` and `input`."""
    return Html(tag(name, **attributes).removesuffix(f"</{name}>"))


def joined(parts: Iterable[str]) -> Html:
    """Parts one after the other."""
    return Html("".join(part if isinstance(part, Html) else html.escape(part) for part in parts))


def table(heads: Iterable[str], rows: Iterable[Iterable[str]], *, identity: str) -> Html:
    """A table; `identity` is its `id`."""
    head = tag("tr", *(tag("th", text) for text in heads))
    body = (tag("tr", *(tag("td", cell) for cell in row)) for row in rows)
    return tag("table", tag("thead", head), tag("tbody", *body), id=identity)


def document(title: str, *inside: str, refresh_seconds: int | None = None) -> Html:
    """A whole page. Without a script it renews itself after `refresh_seconds`."""
    refresh = () if refresh_seconds is None else (void("meta", http_equiv="refresh", content=str(refresh_seconds)),)
    head = tag(
        "head",
        void("meta", charset="utf-8"),
        void("meta", name="viewport", content="width=device-width, initial-scale=1"),
        *refresh,
        tag("title", title),
        void("link", rel="stylesheet", href="/style.css"),
    )
    return Html("<!DOCTYPE html>\n" + tag("html", head, tag("body", *inside), lang="en"))
