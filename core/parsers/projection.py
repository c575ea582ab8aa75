"""What a person sees of a raw log: our JSON messages and progress lines cut out, other bytes as they were.

Imported before every build, so it needs `re` alone. Source of the formats: cargo 1.95, `--message-format=json` and
`term.progress.when="always"`, into one O_APPEND file or two. With `-q` the bar comes without a header.
"""

import re

ERASE = b"\x1b[K"
"""Cargo writes it (in colour only) before anything that is printed over a progress line."""
MAX_SEGMENT_BYTES = 8192
"""A longer text before a `\\r` is no progress line."""
_MAX_COMMAND_BYTES = 1 << 20
"""A longer line that shows a command is passed as it is."""

_JSON = b'{"reason":"'
_JSON_LAST = b'{"reason":"build-finished"'
# Patterns that most builds never need are compiled (and kept by `re`) where they are used: 0.1 ms each at start-up.
_SGR = rb"(?:\x1b\[[0-9;]{0,12}m)"
_HEADER = re.compile(_SGR + rb"{0,4}( {1,11}[A-Z][A-Za-z-]{0,11})" + _SGR + rb"{0,2} ")
_HEADER_BEGUN = re.compile(
    _SGR + rb"{0,4}(?: {1,11}(?:[A-Z][A-Za-z-]{0,11}" + _SGR + rb"{0,2})?)?(?:\x1b(?:\[[0-9;]{0,12})?)?\Z"
)
_TORN_BAR = _SGR + rb"{0,4} {1,11}[A-Z][A-Za-z-]{0,11}" + _SGR + rb"{0,2} \[[=> ]*(?:\]|\Z)"
_BARE_BAR = rb"(\[)=*>? *\] {1,4}[0-9]{1,9}/[0-9]{1,9}"
_BARE_BAR_BEGUN = rb"\[=*>? *(?:\] {0,4}(?:[0-9]{1,9}(?:/[0-9]{0,9})?)?)?\Z"
_BREAK = re.compile(rb"[\r\n]")
_COMMAND = rb"(?:     Running" + _SGR + rb"{0,2} `|(?:  |error: )process didn't exit successfully: `)"
_COMMAND_LINE = rb"(?m)^" + _SGR + rb"{0,4}" + _COMMAND + rb".*$"
_COMMAND_STARTS = (
    b"     Running `",
    b"  process didn't exit successfully: `",
    b"error: process didn't exit successfully: `",
)
_ANY_SGR = _SGR + rb"|\x1b(?:\[[0-9;]{0,12})?\Z"
_OUR_ARGS = rb" --color always|(?<=`)/bin/sh [^`]*?/run/(?:handoff\.sh'?|color\.sh'? [^ `]*) "
_OUR_DOC_ARGS = b" --test-args --color --test-args always"
_DOC_JSON, _DOC_HUMAN = b" --error-format json", b" --error-format human"
_DOC_SIGN = b" --crate-type "

_REPORT = rb"\x1b\]9;4;[0-9;]{0,12}\x1b\\"
_REPORT_BEGUN = rb"\x1b(?:\](?:9(?:;(?:4(?:;[0-9;]{0,12}\x1b?)?)?)?)?)?\Z"
_COLOR_WORD = b"--color"
_RUNNER_WORDS = (b"/handoff.sh", b"/color.sh")
_HEADER_COLUMNS = 12
_ESC, _NEWLINE, _SPACE, _BRACE, _BRACKET, _BRACKET_CLOSE = b"\x1b\n {[]"

_START, _TEXT, _MESSAGE, _LAST_MESSAGE = range(4)
_HOLD, _PASS, _SHOW, _CUT, _OVER = range(5)


class Projection:
    """A filter over the bytes of one log; any cut of them into chunks gives the same output.

    `cut_json`: messages are ours, up to `build-finished`. `cut_progress`: the caller would have had no
    progress line. `cut_color_args`: take what we added (`--color always` of the test harness, the runner of
    `core.run.handoff`, the message format of doc tests) out of shown commands.
    """

    __slots__ = (
        "_cut_color", "_cut_json", "_cut_progress", "_held", "_is_after_progress", "_is_ours", "_is_over",
        "_owes_erase",
        "_state",
    )  # fmt: skip

    def __init__(
        self, *, cut_json: bool, cut_progress: bool, cut_color_args: bool = False, is_ours: bool = False
    ) -> None:
        self._cut_json = cut_json
        self._is_ours = cut_json or is_ours
        self._cut_progress = cut_progress
        self._cut_color = cut_color_args
        self._is_over = not (cut_json or cut_progress)
        self._state = _START
        self._held = b""
        self._is_after_progress = False
        self._owes_erase = False

    @property
    def is_trusting(self) -> bool:
        """Cargo still speaks: a JSON message or a progress line would be recognised."""
        return not self._is_over

    def feed(self, chunk: bytes) -> bytes:
        """What the caller sees of the next bytes, and of earlier ones that were held back."""
        if self._is_over:
            return self._without_color_args(chunk) if self._cut_color else chunk
        return self._project(self._held + chunk if self._held else chunk)

    def close(self) -> bytes:
        """What was held back, at the end of the log."""
        held, self._held = self._held, b""
        if self._is_over:
            return self._restore(held) if self._cut_color else held
        if self._cut_progress and (self._is_torn_progress(held) or re.compile(_REPORT_BEGUN).match(held)):
            return b""
        return ERASE + held if self._owes_erase else held

    def _is_torn_progress(self, held: bytes) -> bool:
        """Cargo died within a progress line, or within what clears it."""
        if held and ERASE.startswith(held):
            return self._is_after_progress
        if re.compile(_BARE_BAR_BEGUN).match(held) or re.compile(_BARE_BAR).match(held):
            return held != b"["
        header = _HEADER.match(held)
        if header is None or len(header[1]) != _HEADER_COLUMNS:
            return False
        return held.endswith(b"\r") or re.compile(_TORN_BAR).match(held) is not None

    def _project(self, buf: bytes) -> bytes:
        self._held = b""
        out: list[bytes] = []
        pos = shown = 0
        end = len(buf)
        while pos < end:
            if self._state == _TEXT:
                found = _BREAK.search(buf, pos)
                if found is None:
                    break
                pos = found.end()
                self._state = _START
            elif self._state == _START:
                kind, stop = self._decide(buf, pos)
                if kind == _HOLD:
                    self._held, end = buf[pos:], pos
                elif kind == _OVER:
                    return b"".join((*out, buf[shown:pos], self._finish(buf[pos:])))
                else:
                    shown = self._take(kind, buf[shown:pos], out, (shown, pos, stop))
                    pos = stop
            else:
                pos = shown = buf.find(b"\n", pos) + 1 or end
                if buf[pos - 1] == _NEWLINE:
                    if self._state == _LAST_MESSAGE:
                        return b"".join((*out, self._finish(buf[pos:])))
                    self._state = _START
        out.append(buf[shown:end])
        return out[0] if len(out) == 1 else b"".join(out)

    def _take(self, kind: int, before: bytes, out: list[bytes], span: tuple[int, int, int]) -> int:
        """Puts out what is decided; gives where the bytes that are not out yet begin."""
        shown, pos, stop = span
        if kind == _CUT:
            out.append(before)
            return stop
        if self._owes_erase:
            self._owes_erase = False
            if kind == _PASS:
                out.append(before + ERASE)
                return pos
        return shown

    def _finish(self, rest: bytes) -> bytes:
        """Cargo has said its last: from here on everything passes."""
        self._is_over = True
        self._state = _START
        erase = ERASE if self._owes_erase else b""
        return erase + self.feed(rest) if rest else erase

    def _decide(self, buf: bytes, pos: int) -> tuple[int, int]:
        """What stands at `pos`, the start of a line or of a progress segment; where scanning goes on."""
        first = buf[pos]
        if first == _BRACE and self._cut_json:
            return self._decide_json(buf, pos)
        if first == _ESC:
            return self._decide_escape(buf, pos)
        if first in (_SPACE, _BRACKET) and (self._cut_progress or self._owes_erase):
            return self._decide_header(buf, pos)
        return self._pass_text(pos)

    def _pass_text(self, pos: int) -> tuple[int, int]:
        self._state = _TEXT
        self._is_after_progress = False
        return _PASS, pos

    def _decide_json(self, buf: bytes, pos: int) -> tuple[int, int]:
        head = buf[pos : pos + len(_JSON_LAST)]
        if head == _JSON_LAST:
            self._state = _LAST_MESSAGE
        elif _JSON_LAST.startswith(head):
            return _HOLD, pos
        elif head.startswith(_JSON):
            self._state = _MESSAGE
        else:
            return self._pass_text(pos)
        self._is_after_progress = False
        return _CUT, pos

    def _decide_escape(self, buf: bytes, pos: int) -> tuple[int, int]:
        head = buf[pos : pos + len(ERASE)]
        if ERASE.startswith(head) and head != ERASE:
            return _HOLD, pos
        if head == ERASE:
            return self._decide_erase(buf, pos)
        if buf[pos + 1] == _BRACKET_CLOSE:
            if report := re.compile(_REPORT).match(buf, pos):
                return (_CUT if self._cut_progress else _SHOW), report.end()
            if re.compile(_REPORT_BEGUN).match(buf, pos):
                return _HOLD, pos
        if self._cut_progress or self._owes_erase:
            return self._decide_header(buf, pos)
        return self._pass_text(pos)

    def _decide_erase(self, buf: bytes, pos: int) -> tuple[int, int]:
        """`ESC [ K`: goes with the progress line before it, or with the message after it."""
        after = pos + len(ERASE)
        if self._cut_progress:
            is_ours, self._is_after_progress = self._is_after_progress, False
            return (_CUT if is_ours else _SHOW), after
        head = buf[after : after + len(_JSON)]
        if self._cut_json and head == _JSON:
            self._owes_erase = True
            return _CUT, after
        if self._cut_json and _JSON.startswith(head):
            return _HOLD, pos
        return _SHOW, after

    def _decide_header(self, buf: bytes, pos: int) -> tuple[int, int]:
        """A line that may be a status line or a progress segment: its end decides."""
        limit = pos + MAX_SEGMENT_BYTES
        is_bare = buf[pos] == _BRACKET
        header = (re.compile(_BARE_BAR) if is_bare else _HEADER).match(buf, pos, limit)
        if header is None:
            begun = (re.compile(_BARE_BAR_BEGUN) if is_bare else _HEADER_BEGUN).match(buf, pos)
            return (_HOLD, pos) if begun and len(buf) < limit else self._pass_text(pos)
        if not is_bare and len(header[1]) != _HEADER_COLUMNS:
            return self._pass_text(pos)
        found = _BREAK.search(buf, header.end(), limit)
        if found is None:
            return (_HOLD, pos) if len(buf) < limit else self._pass_text(pos)
        return self._decide_end(buf, pos, found.end(), header)

    def _decide_end(self, buf: bytes, pos: int, stop: int, header: "re.Match[bytes]") -> tuple[int, int]:
        if buf[stop - 1] == _NEWLINE:
            if header[1].endswith(b"Finished"):
                self._cut_progress = False
                if not self._cut_json:
                    return _OVER, pos
            return self._pass_text(pos)
        if not self._cut_progress:
            return _SHOW, stop
        if stop == len(buf):
            return _HOLD, pos
        if buf[stop] == _NEWLINE:
            return self._pass_text(pos)
        self._is_after_progress = True
        return _CUT, stop

    def _without_color_args(self, chunk: bytes) -> bytes:
        """The chunk, where shown commands have lost the harness's colour arguments."""
        buf = self._held + chunk if self._held else chunk
        self._held = b""
        line = 0
        if self._state == _TEXT:
            line = buf.find(b"\n") + 1
            if not line:
                return buf
        tail = buf.rfind(b"\n") + 1
        self._state = _TEXT if tail < len(buf) else _START
        if self._state == _TEXT and _may_be_command(buf[tail : tail + 160], len(buf) - tail):
            self._held = buf[tail:]
            buf = buf[:tail]
            self._state = _START
        if _COLOR_WORD not in buf and not any(word in buf for word in _RUNNER_WORDS) and _DOC_JSON not in buf:
            return buf
        return buf[:line] + self._restore(buf[line:])

    def _restore(self, lines: bytes) -> bytes:
        return re.compile(_COMMAND_LINE).sub(_restore_doc_command if self._is_ours else _restore_command, lines)


def _may_be_command(start: bytes, size: int) -> bool:
    if size > _MAX_COMMAND_BYTES:
        return False
    plain = re.compile(_ANY_SGR).sub(b"", start)
    return any(head.startswith(plain) or plain.startswith(head) for head in _COMMAND_STARTS)


def _restore_command(line: "re.Match[bytes]") -> bytes:
    """The command as plain cargo would have shown it. To rustdoc cargo gives `--color always` itself."""
    if _DOC_SIGN in line[0]:
        return line[0].replace(_OUR_DOC_ARGS, b"")
    return re.compile(_OUR_ARGS).sub(b"", line[0])


def _restore_doc_command(line: "re.Match[bytes]") -> bytes:
    """The same where the messages are ours: rustdoc tests are then told to report in JSON."""
    return _restore_command(line).replace(_DOC_JSON, _DOC_HUMAN) if _DOC_SIGN in line[0] else _restore_command(line)
