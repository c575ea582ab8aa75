"""Units seen in /proc: what compilers and build scripts are at, where cargo says nothing."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from core import events as e
from core.parsers.progress import left_unit
from core.watch.proc_files import read

_PACKAGE_VARIABLES = (
    b"CARGO_PKG_NAME=", b"CARGO_PKG_VERSION=", b"CARGO_BIN_NAME=", b"CARGO_CRATE_NAME=", b"CARGO_MANIFEST_DIR=",
)  # fmt: skip
_TARGET_FOLDERS = frozenset(("benches", "examples", "tests"))
"""Where cargo looks for targets that are named by their files."""
_COMPILERS = (b"rustc", b"clippy-driver", b"rustdoc")
_QUESTIONS = frozenset((b"-vV", b"-Vv", b"-V", b"--version", b"--explain", b"-h", b"--help"))
_PRINTED_BY_COMPILING = {b"link-args", b"native-static-libs"}
"""What `--print` tells beside a compilation. Source: rustc 1.95."""
_BEFORE_OUTPUT = (b"-o", b"--out-dir")


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of work of cargo, as its process shows it."""

    name: str
    """In the form of cargo's progress line: `serde`, `app(bin)`, `ring(build)`, `ring(build.rs)`, `cli(test)`."""
    package: str
    version: str
    kind: str


def package_of(environ: bytes) -> dict[str, str]:
    """What is compiled, as cargo tells it in these variables; nothing else of an environment is looked at."""
    found: dict[str, str] = {}
    for entry in environ.split(b"\0"):
        if entry.startswith(_PACKAGE_VARIABLES):
            name, _, value = entry.partition(b"=")
            found[name.decode()] = value.decode("utf-8", "replace")
    return found


def is_compiler_or_script(words: Sequence[bytes]) -> bool:
    """`rustc …`, `WRAPPER …/rustc …`, or a build script."""
    names = [word.rpartition(b"/")[2] for word in words[:2]]
    return b"rustc" in names or names[:1] == [b"rustdoc"] or any(map(is_build_script, names[:1]))


def is_build_script(program: bytes) -> bool:
    """Cargo named it after its source: `build-script-build` of `build.rs`, `build-script-main` of `build/main.rs`."""
    return program.startswith(b"build-script-")


def unit_of(words: Sequence[bytes], package: Mapping[str, str]) -> Unit | None:
    """The unit of a command line; None for a question to the compiler (`rustc -vV`, `--print`)."""
    name = package.get("CARGO_PKG_NAME", "")
    version = package.get("CARGO_PKG_VERSION", "")
    program = words[0].rpartition(b"/")[2]
    if is_build_script(program):
        name = name or _package_of_path(words[0])
        return Unit(f"{name}(build)", name, version, "run-build-script") if name else None
    crate = _value(words, b"--crate-name")
    if not crate and any(word.startswith(b"@") for word in words):
        crate = package.get("CARGO_CRATE_NAME", "")  # the rest is in a file
    crate = crate or _crate_of_file(words)
    if crate in ("", "___") or _is_question(words):
        return None
    name = name or crate
    if crate.startswith("build_script_"):
        return Unit(f"{name}(build.rs)", name, version, "custom-build")
    if program == b"rustdoc":
        return Unit(f"{name}(doc)", name, version, "doc")
    kind = _kind_of(words, package, crate)
    if kind in ("lib", "proc-macro"):
        return Unit(name, name, version, kind)
    path = _below_package(_source(words), package.get("CARGO_MANIFEST_DIR", ""))
    target = package.get("CARGO_BIN_NAME") or _target_of(path, crate)
    return Unit(f"{target}({kind})" if kind else target, name, version, "test" if "test" in kind else kind or "lib")


def _kind_of(words: Sequence[bytes], package: Mapping[str, str], crate: str) -> str:
    """In the words of cargo's progress line, but `lib` and `proc-macro` for those; empty: it cannot be known."""
    crate_type = _value(words, b"--crate-type")
    out_dir = _value(words, b"--out-dir")
    folders = _below_package(_source(words), package.get("CARGO_MANIFEST_DIR", ""))[:-1]
    is_example = out_dir.endswith("/examples") or (not out_dir.endswith("/deps") and "examples" in folders)
    if b"--test" in words or _has_pair(words, b"--cfg", b"test"):  # without a harness there is no `--test`
        if is_example:
            return "example test"
        return "bin test" if package.get("CARGO_BIN_NAME") else _kind_of_test(words, package, crate)
    if is_example and crate_type:
        return "example"
    if crate_type == "bin":
        return "bin"
    return "proc-macro" if crate_type == "proc-macro" else "lib" if crate_type else ""


def _kind_of_test(words: Sequence[bytes], package: Mapping[str, str], crate: str) -> str:
    """Of what is no binary: by the folder that its source is in, where cargo looks for it unless it is told."""
    source = _source(words)
    path = _below_package(source, package.get("CARGO_MANIFEST_DIR", ""))
    if "benches" in path[:-1]:
        return "bench"
    is_lib = path[-1:] == ("lib.rs",) or crate == package.get("CARGO_PKG_NAME", "").replace("-", "_")
    return "test" if not source or "tests" in path[:-1] or is_lib else ""


def _source(words: Sequence[bytes]) -> str:
    return next((word.decode("utf-8", "replace") for word in words if word.endswith(b".rs")), "")


def _below_package(source: str, manifest_dir: str) -> tuple[str, ...]:
    """The parts of a source's path, without those of its package where these are known: cargo names a source as seen
    from the workspace, and a package may itself be in `examples/`."""
    parts = tuple(source.split("/"))
    package = tuple(manifest_dir.split("/")) if manifest_dir else ()
    known = (at for at in range(len(parts) - 1, 0, -1) if package[-at:] == parts[:at])
    return parts[next(known, 0) :]


def _target_of(path: tuple[str, ...], crate: str) -> str:
    """The name of a target, where rustc is told only the crate's: by `benches/my-bench.rs`, `tests/my-test/main.rs`.

    A library has that of its crate.
    """
    if not _TARGET_FOLDERS.intersection(path[:-1]):
        return crate
    names = (path[-1].removesuffix(".rs"), path[-2])
    return next((name for name in names if name.replace("-", "_") == crate), crate)


def _has_pair(words: Sequence[bytes], flag: bytes, value: bytes) -> bool:
    return any(word == flag and words[at + 1] == value for at, word in enumerate(words[:-1]))


def changes(
    before: Mapping[str, float], now: Iterable[Unit], at: float, *, is_finish_said: bool
) -> tuple[list[e.Event], dict[str, float]]:
    """Events of what came and went since the last look, and the units in flight: since when.

    `is_finish_said`: the tool names finished units in its messages, so that only starts are told.
    """
    alive = [unit.name for unit in now]
    events: list[e.Event] = []
    if not is_finish_said:
        events += finished({name: since for name, since in before.items() if name not in alive}, at)
    events += [e.UnitStarted(at, name, is_sampled=True) for name in alive if name not in before]
    return events, {name: before.get(name, at) for name in alive}


def finished(units: Mapping[str, float], at: float) -> list[e.Event]:
    """The ends of units that were in flight since the given moments."""
    return [left_unit(name, max(0.0, at - since), {}, at) for name, since in units.items()]


def survivors(run: str, since_ticks: int, root: str = "/proc") -> tuple[int, ...]:
    """Processes of a run whose supervisor is gone: `DECK_RUN` in their environment, not older than the run."""
    mark = b"DECK_RUN=" + run.encode()
    found: list[int] = []
    for pid in _pids(root):
        environ = read(f"{root}/{pid}/environ")
        if mark in environ and mark in environ.split(b"\0") and _start_ticks(f"{root}/{pid}/stat") >= since_ticks:
            found.append(pid)
    return tuple(sorted(found))


def _pids(root: str) -> list[int]:
    try:
        return [int(name) for name in os.listdir(root) if name.isdigit()]
    except OSError:
        return []


def _start_ticks(path: str) -> int:
    content = read(path)
    fields = content[content.rfind(b")") + 2 :].split()
    return int(fields[19]) if len(fields) > 19 and fields[0] not in (b"Z", b"X") else -1


def _value(words: Sequence[bytes], flag: bytes) -> str:
    """Of `--flag value` or `--flag=value`; empty: it is not given."""
    return next(_values(words, flag), b"").decode("utf-8", "replace")


def _values(words: Sequence[bytes], flag: bytes) -> Iterator[bytes]:
    for position, word in enumerate(words):
        if word == flag:
            yield from words[position + 1 : position + 2]
        elif word.startswith(flag + b"="):
            yield word[len(flag) + 1 :]


def _crate_of_file(words: Sequence[bytes]) -> str:
    """What a compiler calls a crate that was given no name: `my-app.rs` is `my_app`; empty: no file is compiled."""
    if words[0].rpartition(b"/")[2] not in _COMPILERS:
        return ""
    files = (word for before, word in pairwise(words) if word.endswith(b".rs") and before not in _BEFORE_OUTPUT)
    source = next((file for file in files if not file.startswith(b"-")), b"")
    return source.rpartition(b"/")[2][:-3].replace(b"-", b"_").decode("utf-8", "replace")


def _is_question(words: Sequence[bytes]) -> bool:
    """The compiler answers, and compiles nothing."""
    asked = {value.partition(b"=")[0] for value in _values(words, b"--print")}
    return bool(asked - _PRINTED_BY_COMPILING) or not _QUESTIONS.isdisjoint(words)


def _package_of_path(path: bytes) -> str:
    """`…/build/ring-0123456789abcdef/build-script-build` is of `ring` (layout of cargo up to 1.99)."""
    folder = path.split(b"/")[-2:-1]
    return folder[0].rpartition(b"-")[0].decode("utf-8", "replace") if folder else ""
