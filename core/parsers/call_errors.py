"""What a call of nvcc that failed said is wrong: of nvcc's own tools, of the host compiler, and of the linker."""

from core import events as e
from core.parsers.compilers import CompilerReader
from core.parsers.messages import clean_rendered
from core.parsers.text import strip_sgr_bytes

MAX_ERRORS = 20
MAX_BYTES = 8192
"""Of all their texts: the last one may be longer."""


def parse_call_errors(said: str) -> tuple[e.CallError, ...]:
    """The first errors in what it printed, in order; where none is known as one, all that it said is one.

    Args:
        said: Errors, then output, as nvcc wrote them.
    """
    found: list[e.Event] = []
    reader = CompilerReader()
    text = strip_sgr_bytes(said.encode("utf-8", "replace"))
    for line in text.split(b"\n"):
        reader.read(line, 0.0, found)
    reader.end(0.0, found)
    errors = [one for one in found if isinstance(one, e.DiagnosticEmitted) and one.level == "error"]
    if not errors and (rendered := clean_rendered(text.strip(b"\n"))):
        return (e.CallError(rendered.partition("\n")[0], None, None, None, None, rendered),)
    return tuple(_bounded(errors))


def error_of(found: e.DiagnosticEmitted) -> e.CallError:
    """The same, as a call has it."""
    return e.CallError(found.message, found.code, found.file, found.line, found.column, found.rendered)


def _bounded(errors: list[e.DiagnosticEmitted]) -> list[e.CallError]:
    kept: list[e.CallError] = []
    size = 0
    for one in errors[:MAX_ERRORS]:
        if size >= MAX_BYTES:
            break
        size += len(one.rendered.encode())
        kept.append(error_of(one))
    return kept
