"""What a compilation of rustc's was made of, as far as it is in sccache's key. Pure but for the functions passed in.

Source: sccache 0.16.0, `compiler/rust.rs`, `generate_hash_key`: the compiler's libraries, all words but `--extern`,
`-L`, `--out-dir`, `--check-cfg`, `--diagnostic-width`, `--color`; the content of sources (dep-info), externs and static
libraries; variables of dep-info (`# env-dep:NAME=value`) and all of CARGO_* but CARGO_MAKEFLAGS, CARGO_REGISTRIES_*,
CARGO_BUILD_JOBS, CARGO_ENCODED_RUSTFLAGS; the working directory.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, NamedTuple

from core.run.mask import is_credential, safe_words
from core.values import dataclass

Read = Callable[[str], bytes]
"""A file's content. Raises OSError where it cannot be read."""
Digest = Callable[[str], str]
"""Of a file's content, short; empty: it cannot be read."""
List = Callable[[str], Sequence[str]]
"""Names in a folder. Raises OSError."""

MAX_SOURCES = 500
"""Told apart; of what is more, only that something changed."""
_MAX_CLEAR = 48
"""Of a value that is kept as it is."""
_UNCOUNTED = frozenset({"--extern", "-L", "--out-dir", "--check-cfg", "--diagnostic-width", "--color"})
_TAKES_VALUE = frozenset(
    "--allow --cap-lints --cfg --check-cfg --codegen --color --crate-name --crate-type --deny --diagnostic-width --emit"
    " --error-format --extern --forbid --json --out-dir --remap-path-prefix --sysroot --target --warn --edition"
    " -A -C -D -F -L -W -Z -l -o".split()
)
_UNCOUNTED_VARIABLES = frozenset(
    {"CARGO_MAKEFLAGS", "CARGO_BUILD_JOBS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_REGISTRIES_"}
)
_OF_PLACES = re.compile(
    r"OUT_DIR|CARGO_MANIFEST_(DIR|PATH)|CARGO_BIN_EXE_.*|CARGO_TARGET_TMPDIR|CARGO_RUSTC_CURRENT_DIR"
)
_NEVER_CHANGES = re.compile(r"/registry/src/|/git/checkouts/|/lib/rustlib/")
_EXTERN = re.compile(r"(?:[^=:]*:)?([^=]+)=(.+)", re.DOTALL)
_DEP_WORD = re.compile(r"(?:\\ |[^ ])+")
_DRIVER = re.compile(r"librustc_driver-([0-9a-f]+)\.")


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that a compilation was made of. Digests are short, in hex."""

    unit: str
    """What it is about, whatever it is made of: `crate types emit test`."""
    compiler: str
    """What tells one build of the compiler from another; empty: not known."""
    toolchain: str
    """How a person calls it: `nightly-x86_64-unknown-linux-gnu`, or its path."""
    cwd: str
    words: tuple[str, ...]
    """Each option with its value, in order; `$PWD` stands for the working directory. Credentials masked."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Values that are short and no secret, or digests (`#…`); `set`: a credential."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """Digests by path, relative to the working directory or to `$OUT_DIR`, else whole."""
    externs: Mapping[str, str] = field(default_factory=dict)
    """Digests by name; static libraries too."""
    is_whole: bool = True
    """Nothing of it was missing or kept from us."""
    began: float = 0.0
    """When it was asked for, seconds since the epoch; 0: not known."""
    stored: float = 0.0
    """When it was in the store; 0: not known."""

    @property
    def version(self) -> str:
        """Of the package; empty: not known."""
        return self.env.get("CARGO_PKG_VERSION", "")

    def to_json(self) -> dict[str, Any]:
        """What `from_json` takes."""
        return {name: getattr(self, name) for name in _FIELDS} | {"words": list(self.words)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Inputs":
        """What `to_json` gave. Raises KeyError or TypeError for anything else."""
        if not all(isinstance(value[name], dict) for name in ("env", "sources", "externs")):
            raise TypeError("not the inputs of a compilation")
        return cls(**{name: value[name] for name in _FIELDS} | {"words": tuple(value["words"])})


_FIELDS = (
    "unit", "compiler", "toolchain", "cwd", "words", "env", "sources", "externs", "is_whole", "began", "stored",
)  # fmt: skip


class Files(NamedTuple):
    """How files are looked at."""

    read: Read
    digest: Digest
    names: List


class _Options(NamedTuple):
    """A command line of rustc's, taken apart."""

    counted: tuple[str, ...]
    unit: str
    externs: tuple[tuple[str, str], ...]
    libraries: tuple[str, ...]
    """`-l static=NAME`."""
    folders: tuple[str, ...]
    """`-L native=FOLDER`."""
    target_file: str
    """A target of the user's own; empty: none."""


def gather(
    argv: Sequence[str],
    env: Mapping[str, str | None],
    cwd: str,
    dep_info_path: str,
    *,
    files: Files,
    compiler: str = "",
) -> Inputs:
    """What a compilation was made of, looked at after it.

    `argv` is what came after the compiler, `compiler` its path, `env` its variables, None for the value of a
    credential. A file that was changed since it was compiled is taken as it is now.
    """
    options = _options(argv)
    known = {name: value for name, value in env.items() if value is not None}
    dep_info = _read_dep_info(dep_info_path, files)
    variables = _variables(env, dep_info.variables if dep_info else {})
    out_dir = (dep_info.variables if dep_info else {}).get("OUT_DIR") or known.get("OUT_DIR", "")
    sources = _sources(dep_info.sources if dep_info else (), cwd, out_dir, files)
    if options.target_file:
        sources[options.target_file] = files.digest(_joined(cwd, options.target_file))
    externs = {name: files.digest(_joined(cwd, path)) for name, path in options.externs}
    externs |= _static_libraries(options, cwd, files)
    identity, toolchain = _compiler(compiler, known.get("CARGO", ""), files)
    is_whole = dep_info is not None and identity != "" and all(sources.values()) and all(externs.values())
    return Inputs(
        options.unit, identity, toolchain, cwd,
        tuple(_in_place(word, cwd) for word in safe_words(options.counted, known)), MappingProxyType(variables),
        MappingProxyType(_bounded(sources)), MappingProxyType(externs), is_whole and "set" not in variables.values(),
    )  # fmt: skip


def digest_of(content: bytes) -> str:
    """16 hex digits."""
    return blake2b(content, digest_size=8).hexdigest()


def _options(argv: Sequence[str]) -> _Options:
    counted: list[str] = []
    named: dict[str, list[str]] = {}
    for name, value, text in _pairs(argv):
        named.setdefault(name, []).append(value)
        if name not in _UNCOUNTED and not (name == "--target" and value.endswith(".json")):
            counted.append(text)
    emit = ",".join(sorted(kind.partition("=")[0] for kind in ",".join(named.get("--emit", ())).split(",")))
    crate, types = (named.get("--crate-name") or [""])[0], ",".join(named.get("--crate-type", ()))
    kinds = [value.partition("=") for value in named.get("-L", ())]
    return _Options(
        tuple(counted), " ".join((crate, types, emit, *(("test",) if "--test" in named else ()))),
        tuple((found[1], found[2]) for value in named.get("--extern", ()) if (found := _EXTERN.match(value))),
        tuple(value.rpartition("=")[2] for value in named.get("-l", ()) if value.startswith("static")),
        tuple(folder if sign else kind for kind, sign, folder in kinds if kind in ("native", "all") or not sign),
        next((value for value in named.get("--target", ()) if value.endswith(".json")), ""),
    )  # fmt: skip


def _pairs(argv: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Each option, its value, and both as one writes them."""
    words = iter(argv)
    for word in words:
        name, sign, value = word.partition("=")
        if word in _TAKES_VALUE:
            value = next(words, "")
            name = "-C" if word == "--codegen" else word
            yield name, value, f"{name} {value}" if len(name) == 2 or name == "--cfg" else f"{name}={value}"
        elif name in _TAKES_VALUE and sign:
            yield name, value, f"{name} {value}" if name == "--cfg" else word
        elif word[:2] in _TAKES_VALUE and not word.startswith("--"):
            yield word[:2], word[2:], f"{word[:2]} {word[2:]}"
        else:
            yield word, "", word


class _DepInfo(NamedTuple):
    sources: tuple[str, ...]
    variables: Mapping[str, str]


def _read_dep_info(path: str, files: Files) -> _DepInfo | None:
    """What rustc says it read; None: it did not say.

    Source: rustc 1.95, first `TARGET: SOURCE SOURCE…`, spaces as `\\ `, then lines `# env-dep:NAME[=VALUE]`.
    """
    try:
        text = files.read(path).decode("utf-8", "replace")
    except OSError:
        return None
    first, _, _ = text.partition("\n")
    _, _, listed = first.partition(": ")
    variables: dict[str, str] = {}
    for line in text.splitlines():
        if line.startswith("# env-dep:"):
            name, _, value = line.removeprefix("# env-dep:").partition("=")
            variables[name] = value
    return _DepInfo(tuple(word.replace("\\ ", " ") for word in _DEP_WORD.findall(listed)), variables)


def _variables(env: Mapping[str, str | None], tracked: Mapping[str, str]) -> dict[str, str]:
    counted = {
        name: value
        for name, value in env.items()
        if name.startswith("CARGO_") and not name.startswith(tuple(_UNCOUNTED_VARIABLES))
    }
    return {name: _shown(name, value) for name, value in sorted((counted | dict(tracked)).items())}


def _shown(name: str, value: str | None) -> str:
    if value is None or is_credential(name):
        return "set"
    is_clear = (name.startswith("CARGO_PKG_") and len(value) <= _MAX_CLEAR) or _OF_PLACES.fullmatch(name)
    return value if is_clear else "#" + digest_of(value.encode("utf-8", "replace"))


def _sources(paths: Sequence[str], cwd: str, out_dir: str, files: Files) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in paths:
        whole = _joined(cwd, path)
        name = path
        if out_dir and whole.startswith(out_dir + "/"):
            name = "$OUT_DIR" + whole[len(out_dir) :]
        elif whole.startswith(cwd + "/"):
            name = whole[len(cwd) + 1 :]
        # Cargo never changes these: reading all of a registry's sources would cost seconds.
        found[name] = "fixed" if _NEVER_CHANGES.search(whole) else files.digest(whole)
    return found


def _bounded(sources: Mapping[str, str]) -> dict[str, str]:
    names = sorted(sources)
    kept = {name: sources[name] for name in names[:MAX_SOURCES]}
    if len(names) > MAX_SOURCES:
        rest = "\n".join(f"{name} {sources[name]}" for name in names[MAX_SOURCES:])
        kept["…"] = digest_of(rest.encode("utf-8", "replace"))
    return kept


def _static_libraries(options: _Options, cwd: str, files: Files) -> dict[str, str]:
    found: dict[str, str] = {}
    for library in options.libraries:
        name = f"lib{library.partition(':')[0]}.a"
        digests = (files.digest(f"{_joined(cwd, folder)}/{name}") for folder in options.folders)
        # One that is not there is found elsewhere, or not at all: it is not in the key either.
        if digest := next((digest for digest in digests if digest), ""):
            found[name] = digest
    return found


def _compiler(path: str, cargo: str, files: Files) -> tuple[str, str]:
    """Its identity and its name. Called by its name, or through a proxy of rustup's, it has no library beside it and
    stands for the compiler beside the cargo that runs.

    The driver's library is named after its own content: no compiler has to be asked, nor 150 MB read.
    """
    for program in (path, cargo):
        root = program.rpartition("/")[0].rpartition("/")[0]
        if not root:
            continue
        try:
            names = files.names(f"{root}/lib")
        except OSError:
            continue
        if driver := next((found[1] for name in sorted(names) if (found := _DRIVER.match(name))), ""):
            return driver, root.rpartition("/")[2] or root
    digest = files.digest(path) if path.startswith("/") else ""
    return digest, path


def _in_place(word: str, cwd: str) -> str:
    return word.replace(cwd, "$PWD") if len(cwd) > 1 else word


def _joined(folder: str, path: str) -> str:
    return path if path.startswith("/") else f"{folder}/{path}"
