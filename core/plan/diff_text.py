"""What diffs are made of, as `patch` reads them. Pure."""


def lines_of(text: str) -> list[str]:
    """With their ends. `splitlines` splits at characters that end no line for `patch`."""
    lines = text.split("\n")
    return [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def ended(line: str) -> str:
    """With an end, said where the file has none."""
    return line if line.endswith("\n") else line + "\n\\ No newline at end of file\n"


def range_of(start: int, end: int) -> str:
    """Lines from 0, the last one left out, as diffs count: from 1, and where there is none the line before."""
    count = end - start
    return str(start + 1) if count == 1 else f"{start + 1 if count else start},{count}"
