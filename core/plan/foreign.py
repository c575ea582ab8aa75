"""Text of others as it can stand in a sentence of ours: short, on one line, nothing that a terminal obeys. Pure."""

from core.run.mask import safe_text


def plain(text: str, most: int = 60) -> str:
    """At most so many characters on one line; what is not printable is written as `\\x1b`."""
    clean = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[: most + 1])
    return clean if len(clean) <= most else clean[: most - 1] + "…"


def first_line(text: str, most: int = 160) -> str:
    """The first line of a program's words that says something."""
    return plain(next((line.strip() for line in text.splitlines() if line.strip()), ""), most)


def short(text: str, most: int = 40) -> str:
    """For a title: without credentials, too."""
    return plain(safe_text(text), most)
