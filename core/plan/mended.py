"""Findings with the diffs that mend them, of files as they are now: to be shown, not to be kept."""

from core.plan.plan import Finding
from core.plan.small_file import read_small


def mended(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The findings with their diffs; one whose files are not there, or cannot be read, has none."""
    if not any(one.changes and not one.mend for one in findings):
        return findings
    from core.plan.findings import with_mend

    return tuple(with_mend(one, _text_of) for one in findings)


def _text_of(path: str) -> str:
    """Of a file that a mend changes. Raises ValueError: it is none, is too large, or cannot be read as text."""
    content = read_small(path)
    if content is None:
        raise ValueError(path)
    return content.decode()
