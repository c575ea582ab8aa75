"""What logs say of native failures: CMake's, make's and ninja's stale state, links without a symbol, nvcc's own.

No I/O. Bytes of one log, whole lines at a time; what a line says is the same wherever it was cut. A log of cargo's
shows native tools only below a build script that failed, behind `[package version]` with `-vv`, and in a link that
failed; elsewhere a program speaks. Output is hostile: at most `_LOOKED_AT` bytes of a line are looked at.
"""

import re
from typing import NamedTuple

from core.parsers.text import plain, strip_sgr_bytes

CACHE, RULE, SYMBOL, HEADER = "cmake-cache-stale", "no-rule", "undefined-symbol", "header-missing"
NVCC, HOST, ARCH, MEMORY = "nvcc-missing", "host-compiler-refused", "arch-unknown", "nvcc-memory"
CACHE_SAID = b"CMakeCache.txt directory"
MAX_SYMBOLS = 8
"""Kept of one link."""
_MAX_LINE_BYTES = 1 << 16
_LOOKED_AT = 4096
_MAX_WORD = 400
_MAX_A_CHUNK = 20
_MAX_BLOCK = 4000
"""Lines that belong to a build script or a link that failed."""
_NEAR = 60
"""Lines behind a command of nvcc in which `Killed` is its tool's death."""
_HINTS = (
    b"CMake Error", b"Does not match the generator", b"o rule to make", b"no known rule", b"undefined ", b"nvcc",
    b"fatal error", b"cannot open source", b"catastrophic error", b"unsupported ", b"Killed", b"custom build command",
    b"Entering directory", b": linking with `", b": in function ",
)  # fmt: skip
_SCRIPT = re.compile(
    rb"error: failed to run custom build command for `(\S+) v(\S+)(?: \((?:proc-macro, )?(/[^`]*)\))?`"
)
_NOTE = b"note: "
"""Of cargo's, below that: with RUST_BACKTRACE set, how to have debug information for build scripts."""
_VERBOSE = re.compile(rb"\[([\w-]{1,64}) \d[\w.+-]{0,40}\] ")
_LINKED = b": linking with `"
_WHOLE = re.compile(rb"error: could not compile `([\w-]{1,64})` \(([^)]{1,80})\)")


class NativeFault(NamedTuple):
    """One failure, in the words of who failed."""

    kind: str
    """One of the ids above."""
    said: str
    """The line that tells of it."""
    subject: str = ""
    """What is stale (a folder; empty: not said), missing (a file, a header), undefined, unknown, or was killed."""
    by: str = ""
    """Who needs it: an object, a source with its line; of a CMake cache where it was made."""
    folder: str = ""
    """Where make or ninja was last said to work; empty: not said."""
    package: str = ""
    """Whose build script said it, or whose link failed; empty: nobody of cargo's."""
    package_dir: str = ""
    """Of the package; empty: not said."""
    more: tuple[str, ...] = ()
    """Other symbols that the same link lacks."""


class _Pattern(NamedTuple):
    kind: str
    has: bytes
    """In each line that fits."""
    pattern: "re.Pattern[bytes]"
    """From the beginning of a line on. Groups `s` (subject) and `b` (by) where it has them."""


_PATTERNS = tuple(
    _Pattern(kind, has, re.compile(pattern))
    for kind, has, pattern in (
        (CACHE, CACHE_SAID, rb"CMake Error: The current CMakeCache\.txt directory (?P<s>/.*)/CMakeCache\.txt "
         rb"is different than the directory (?P<b>/.*) where CMakeCache\.txt was created"),
        (CACHE, b"used to generate cache",
         rb'CMake Error: The source "(?P<s>)[^"]*" does not match the source "(?P<b>[^"]*)"'),
        (CACHE, b"Does not match the generator", rb"Does not match the generator used previously: (?P<b>[\w ]+)"),
        (RULE, b"o rule to make", rb"\S{0,200}make(?:\[\d+\])?: \*\*\* No rule to make target '(?P<s>[^']+)'"
         rb"(?:, needed by '(?P<b>[^']+)')?\.  Stop\."),
        (RULE, b"no known rule", rb"ninja: error: '(?P<s>[^']+)', needed by '(?P<b>[^']+)', missing and no known rule"),
        (NVCC, b"nvcc", rb".{0,400}?(?:nvcc: (?:command )?not found|nvcc: No such file or directory"
         rb"|Failed to find nvcc\b|nvcc\b[^:]{0,80}: Os \{ code: 2, kind: NotFound|tool \"nvcc\": No such file)"),
        (HOST, b"unsupported ",
         rb".{0,400}?error: (?:#error )?-- (?P<s>unsupported (?:GNU|clang) version! [^!]{1,120})!"),
        (HOST, b"nvcc fatal", rb"nvcc fatal   : (?P<s>Failed to preprocess host compiler properties)"),
        (ARCH, b"nvcc fatal", rb"nvcc fatal   : Unsupported gpu architecture '(?P<s>[\w-]{1,40})'"),
        (MEMORY, b"died due to signal",
         rb"nvcc error   : '\"?(?:\$\w+/)?(?P<s>[\w+.-]{1,40})\"?' died due to signal 9\b"),
        (MEMORY, b"catastrophic error: out of", rb"(?P<b>[^(]+\(\d+\)): catastrophic error: (?P<s>)out of memory"),
        (HEADER, b"fatal error: ", rb"(?P<b>.+?:\d+):\d+: fatal error: '?(?P<s>[^\s:'][^:']*?)'?"
         rb"(?:: No such file or directory| file not found)"),
        (HEADER, b"cannot open source",
         rb"(?P<b>[^(]+\(\d+\)): (?:catastrophic|fatal) error: cannot open source file \"(?P<s>[^\"]+)\""),
    )
)  # fmt: skip
_ENTERING = re.compile(rb"(?:ninja|g?make(?:\[\d+\])?): Entering directory [`'](?P<s>[^']+)'")
_SYMBOLS = (
    re.compile(
        rb"\S{0,200}?(?:lld|mold|wild|\bld): error: undefined (?:hidden |protected )?symbol: (?P<s>\S.*)"
    ),
    re.compile(rb".{0,2000}?undefined reference to [`'](?P<s>[^'`]+)'"),
)  # fmt: skip
_FROM = re.compile(rb">>>\s{1,40}(?:referenced by )?(?P<b>\S*\.(?:o|a|rlib)\b\S*)")
_IN_FUNCTION = b": in function "
_OF_LINE = re.compile(rb"(?P<b>\S+\.(?:o|a|rlib)\b|\S+?(?=:(?: error:)? undefined))")
_COMMANDS = (b'"', b"LC_ALL=", b"PATH=", b"VSLANG=")
"""Begin the command line of a link."""
_LINK_ENDS = (b"collect2: error", b"clang: error: linker", b"clang++: error: linker")


class NativeFailureReader:
    """Finds them in the bytes of one log."""

    def __init__(self, program: str) -> None:
        """`program`: whose log it is. Of `cargo`'s, only what it shows of others is looked at."""
        self._is_cargos = program == "cargo"
        self._rest = b""
        self._blocks = _Blocks()
        self._link = _Link()
        self._tools = _Tools(is_nvcc=program == "nvcc")

    def feed(self, chunk: bytes) -> list[NativeFault]:
        """What the next bytes tell of, at most `_MAX_A_CHUNK`."""
        end = chunk.rfind(b"\n") + 1
        text, self._rest = (self._rest + chunk[:end], chunk[end:]) if end else (b"", self._rest + chunk)
        self._rest = self._rest[-_MAX_LINE_BYTES:]
        is_idle = not (self._blocks.kind or self._link.symbols or self._tools.is_near_nvcc)
        if is_idle and not any(hint in text for hint in _HINTS):
            return []
        found: list[NativeFault] = []
        for line in text.split(b"\n")[:-1]:
            found += self._line(_last_state(line))
        return found[:_MAX_A_CHUNK]

    def close(self) -> list[NativeFault]:
        """What is left of a link when the log is over."""
        return self._link.end(self._tools.folder)

    def _line(self, line: bytes) -> list[NativeFault]:
        was_link = self._blocks.kind == "link"
        self._blocks.take(line)
        kind = self._blocks.kind
        if was_link and kind != "link":
            return self._link.end("", package_of(line))
        if kind == "link":
            self._link.take(line)
            return []
        if kind == "script":
            return [self._blocks.whose(fault) for fault in self._tools.take(line.strip())]
        if self._is_cargos:
            return self._spoken(line)
        if self._link.take(line):
            return self._link.end(self._tools.folder)
        return [] if self._link.symbols and line.startswith(b">>>") else self._tools.take(line.strip())

    def _spoken(self, line: bytes) -> list[NativeFault]:
        """What a build script says with `-vv`. Much of it may be a try of the compiler's; where the script fails, all
        of it is said once more."""
        spoken = _VERBOSE.match(line)
        if spoken is None or CACHE_SAID not in line:
            return []
        return [
            one._replace(package=spoken[1].decode()) for one in self._tools.take(line[spoken.end() :].strip())
        ]  # fmt: skip


def _last_state(line: bytes) -> bytes:
    """The line as it was left: behind cargo's progress, which begins anew after each `\\r`, and without colours."""
    shown = line.rstrip(b"\r").rpartition(b"\r")[2]
    return strip_sgr_bytes(shown[:_LOOKED_AT].removeprefix(b"\x1b[K"))


class _Blocks:
    """Where in a log of cargo's the words of native tools stand."""

    def __init__(self) -> None:
        self.kind = ""
        """`script`: of a build script that failed, `link`: of a link that failed; empty: neither."""
        self._left = 0
        self._package = self._folder = ""

    def take(self, line: bytes) -> None:
        """Look at the next line."""
        if line.startswith(b"error") and (script := _SCRIPT.match(line)):
            self.kind, self._left = "script", _MAX_BLOCK
            self._package, self._folder = plain(script[1], _MAX_WORD), plain(script[3] or b"", _MAX_WORD)
        elif _LINKED in line and line.startswith(b"error"):
            self.kind, self._left = "link", _MAX_BLOCK
        elif self.kind:
            self._left -= 1
            if not self._left or self._is_over(line):
                self.kind = ""

    def whose(self, fault: NativeFault) -> NativeFault:
        """The fault, with the package whose build script said it."""
        return fault._replace(package=self._package, package_dir=self._folder)

    def _is_over(self, line: bytes) -> bool:
        if self.kind == "link":
            return line.startswith((b"error", b"warning: "))
        return bool(line) and not line.startswith((b"  ", b"Caused by:", _NOTE))


def package_of(line: bytes) -> str:
    """The package that cargo says could not be compiled; empty: the line says nothing of that."""
    whole = _WHOLE.match(line)
    return whole[1].decode() if whole is not None else ""


class _Link:
    """Symbols that a link lacks, by whom they are needed."""

    def __init__(self) -> None:
        self.symbols: list[tuple[str, str, str]] = []
        """Symbol, object, line; none twice."""
        self._object = ""

    def take(self, line: bytes) -> bool:
        """Look at the next line; True where it says that the link is over."""
        said = line.strip().removeprefix(b"= note:").strip()
        if said.startswith(_COMMANDS):
            return False
        if _IN_FUNCTION in said:
            self._object = plain(said.partition(_IN_FUNCTION)[0].rpartition(b" ")[2], _MAX_WORD)
        undefined = (one.match(said) for one in _SYMBOLS) if b"undefined " in said else ()
        symbol = next((found for found in undefined if found is not None), None)
        if symbol is not None:
            self._add(plain(symbol["s"], _MAX_WORD), said)
        elif self.symbols and not self.symbols[-1][1] and (place := _FROM.match(said)) is not None:
            self.symbols[-1] = (self.symbols[-1][0], plain(place["b"], _MAX_WORD), self.symbols[-1][2])
        return said.startswith(_LINK_ENDS) and bool(self.symbols)

    def _add(self, symbol: str, said: bytes) -> None:
        if len(self.symbols) > MAX_SYMBOLS or symbol in (one[0] for one in self.symbols):
            return
        of_line = _OF_LINE.match(said) if b"undefined reference" in said else None
        self.symbols.append(
            (symbol, self._object or plain(of_line["b"] if of_line else b"", _MAX_WORD), plain(said, 200))
        )

    def end(self, folder: str, package: str = "") -> list[NativeFault]:
        """The fault of the link that is over; empty: it lacked nothing."""
        symbols, self.symbols, self._object = self.symbols, [], ""
        if not symbols:
            return []
        symbol, by, said = symbols[0]
        return [NativeFault(SYMBOL, said, symbol, by, folder, package, more=tuple(one[0] for one in symbols[1:]))]


class _Tools:
    """What CMake, make, ninja, nvcc, compilers and shells tell of."""

    def __init__(self, *, is_nvcc: bool) -> None:
        self.folder = ""
        """Where make or ninja was last said to work."""
        self._since_nvcc = 0 if is_nvcc else _NEAR
        self._since_cache = _NEAR

    @property
    def is_near_nvcc(self) -> bool:
        """A line that names nvcc came not long ago."""
        return self._since_nvcc < _NEAR

    def take(self, line: bytes) -> list[NativeFault]:
        """What the next line tells of."""
        self._since_nvcc = 0 if b"nvcc" in line else self._since_nvcc + 1
        self._since_cache += 1
        if line == b"Killed" and self.is_near_nvcc:
            return [NativeFault(MEMORY, "Killed", "nvcc")]
        if b"Entering directory" in line and (entered := _ENTERING.match(line)):
            self.folder = plain(entered["s"], _MAX_WORD)
        for kind, has, pattern in _PATTERNS:
            if has in line and (found := pattern.match(line)) is not None:
                return self._fault(kind, line, found.groupdict())
        return []

    def _fault(self, kind: str, line: bytes, groups: dict[str, bytes | None]) -> list[NativeFault]:
        words = {name: plain(value or b"", _MAX_WORD) for name, value in groups.items()}
        subject = words.get("s", "")
        if kind == CACHE:
            if not subject and self._since_cache < 3:
                return []  # of a folder that was moved CMake says the same twice
            self._since_cache = 0
        return [NativeFault(kind, plain(line, 200), subject, words.get("b", ""), self.folder)]
