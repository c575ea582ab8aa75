"""Modes: what they can say, the built-in ones, and those of files, checked and put on top of one another. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from core.plan.foreign import plain
from core.plan.given import Given, Key, Origin, Trouble
from core.plan.option import Option, Refused, is_word, normal_value, shown
from core.plan.wish import Mode

NONE = "none"
"""In place of a mode's name: none is wanted."""
_DEBUG = ("none", "line-directives-only", "line-tables-only", "limited", "full")
_SPLIT, _STRIP = ("off", "packed", "unpacked"), ("none", "debuginfo", "symbols")
_LTO, _LINKERS = ("off", "thin-local", "thin", "fat"), ("default", "fast", "mold", "lld", "wild", "bfd")
_LAUNCHERS, _NVCC_CACHES = ("none", "sccache", "ccache"), ("on", "off", "verify", "sccache", "ccache")
_MANY = 1 << 16
_MAX_CHAIN, _MAX_ABOUT = 20, 120
MOST = 10
"""Mistakes of one table that are looked for: what stands after them is looked at when those are mended."""

OPTIONS = {one.name: one for one in (
    Option("profile", "profile", (), "cargo's profile that is built, and that the options below are set in"),
    Option("debug", "debug", _DEBUG, "debug information of the workspace's members"),
    Option("deps-debug", "debug", _DEBUG, "debug information of dependencies"),
    Option("build-debug", "debug", _DEBUG, "debug information of build scripts and proc macros"),
    Option("split-debuginfo", "choice", _SPLIT, "debug information beside the program instead of in it"),
    Option("strip", "strip", _STRIP, "what is taken out of a linked program"),
    Option("panic", "choice", ("unwind", "abort"), "what a panic does; it changes what the program means"),
    Option("overflow-checks", "bool", (), "arithmetic panics where it overflows; it changes what the program means"),
    Option("codegen-units", "number", (), "parts that a crate is compiled in", _MANY),
    Option("lto", "lto", _LTO, "optimizing across crates while linking"),
    Option("opt-level", "level", ("s", "z"), "optimizing of the workspace's members"),
    Option("deps-opt-level", "level", ("s", "z"), "optimizing of dependencies"),
    Option("build-opt-level", "level", ("s", "z"), "optimizing of build scripts and proc macros"),
    Option("incremental", "bool", (), "members keep what the next compilation can use again"),
    Option("linker", "choice", _LINKERS, "program that links; fast: lld or mold in place of GNU ld"),
    Option("target-cpu", "cpu", ("default", "native"), "processor that is compiled for"),
    Option("jobs", "number", ("auto",), "compilers at once; auto: as cores and memory allow", _MANY),
    Option("backend", "choice", ("llvm", "cranelift"), "code generator of members; cranelift needs nightly"),
    Option("share-generics", "bool", (), "crates use instances of generics of one another; needs nightly"),
    Option("front-end-threads", "number", ("share",), "threads of rustc's front end; needs nightly", 64),
    Option("cache", "choice", (NONE, "sccache"), "compiler cache"),
    Option("packages", "choice", ("all", "changed", "changed+dependants"), "which members are built"),
    Option("cmake-generator", "choice", ("default", "ninja"), "what CMake writes for build scripts"),
    Option("cmake-parallel", "number", ("jobs",), "compilers that one CMake build starts at once", _MANY),
    Option("cuda-archs", "archs", ("default", "native"), "GPU architectures that kernels are compiled for"),
    Option("cxx-launcher", "choice", _LAUNCHERS, "compiler cache of C and C++ in CMake"),
    Option("nvcc-cache", "choice", _NVCC_CACHES, "cache of what nvcc compiles; sccache and ccache: before CMake's "
           "nvcc, cargo-deck's own before others"),
    Option("nvcc-threads", "number", (), "architectures that one nvcc compiles at once", 256),
)}  # fmt: skip
"""By name, in the order in which people are shown them."""

_DEV = {"profile": "dev", "debug": "line-tables-only", "deps-debug": "none", "linker": "fast"}
BUILT_IN: dict[str, tuple[str, dict[str, Any]]] = {
    "dev": ("edit, build, run: backtraces have lines, nothing else of debug information is made", _DEV),
    "test": ("build and run tests: as dev", _DEV),
    "check-fast": ("as dev, and only the members whose files differ from the branch point", {
        **_DEV, "packages": "changed"}),
    "release": ("what is shipped, as the workspace's manifest says", {"profile": "release"}),
    "release-fast": ("optimized code to try things with, soon after an edit", {
        "profile": "release", "incremental": True, "linker": "fast"}),
    "release-optimized": ("the fastest program; takes longest, and most memory while linking", {
        "profile": "release", "lto": "fat", "codegen-units": 1}),
    "low-memory": ("no debug information, and no more compilers at once than memory allows", {
        "jobs": "auto", "debug": "none", "deps-debug": "none"}),
    "cuda-iterate": ("as dev; kernels for the GPU of this machine alone, by ninja", {
        **_DEV, "cmake-generator": "ninja", "cuda-archs": "native"}),
}  # fmt: skip
"""What it is for, and its options in their one form, by name."""


Layer = Mapping[str, Mapping[Key, Given]]
"""Modes of one place by name, as they are written: looked at where they are wanted."""


class Draft(NamedTuple):
    """A mode as one place has it, before it inherits."""

    name: str
    origin: Origin
    inherits: Given | None
    about: str
    options: Mapping[str, Given]
    """What is right, in its one form."""
    troubles: tuple[Trouble, ...]


class Resolved(NamedTuple):
    """A mode with everything that it inherits."""

    mode: Mode
    """Its `chosen_by` is the place that defines it."""
    troubles: tuple[Trouble, ...] = ()
    """Any: the mode is not to be used."""


def built_in() -> Layer:
    """The modes that everybody has."""
    return {name: _built_in(name) for name in BUILT_IN}


def _built_in(name: str) -> Mapping[Key, Given]:
    about, options = BUILT_IN[name]
    origin = Origin(f"mode {name}")
    return {(key,): Given(value, origin) for key, value in (("about", about), *options.items())}


def read_layer(leaves: Mapping[Key, Given]) -> tuple[Layer, tuple[Trouble, ...]]:
    """Modes of a file's `[modes.NAME]`, and what is wrong before there is a name. Other keys are left alone."""
    tables: dict[str, dict[Key, Given]] = {}
    troubles = []
    for key, given in leaves.items():
        if key[0] != "modes":
            continue
        if len(key) < 3 and (len(key) == 1 or given.value != {}):
            troubles.append(Trouble(given.origin, _why_no_table(key)))
        elif not is_word(key[1]) or key[1] == NONE:
            troubles.append(Trouble(given.origin, _why_no_name(key[1])))
        else:
            tables.setdefault(key[1], {})[key[2:]] = given
    return tables, _once(troubles)


def _why_no_table(key: Key) -> str:
    if len(key) == 1:
        return "modes is a table of modes: write [modes.NAME] on a line of its own"
    return f"modes.{plain(key[1])} is a table: write [modes.NAME] on a line of its own"


def _why_no_name(name: str) -> str:
    if name == NONE:
        return 'no mode can be named "none": that word means that none is wanted'
    return f"{shown(name)} cannot be a mode's name: it has letters, digits, - and _, at most 40"


def _once(troubles: Iterable[Trouble]) -> tuple[Trouble, ...]:
    """The first of each sentence: a bad name has as many leaves as options."""
    found: dict[str, Trouble] = {}
    for one in troubles:
        found.setdefault(one.why, one)
    return tuple(found.values())[:MOST]


def _draft(name: str, table: Mapping[Key, Given]) -> Draft:
    options: dict[str, Given] = {}
    troubles: list[Trouble] = []
    words: dict[str, Given] = {}
    for key, given in table.items():
        if len(troubles) >= MOST:
            break
        if not key:
            troubles.append(Trouble(given.origin, f"[modes.{name}] has no line in it: give it one, or take it away"))
        elif key[0] in ("inherits", "about"):
            if len(key) == 1 and isinstance(given.value, str):
                words[key[0]] = given
            else:
                value = shown(given.value if len(key) == 1 else {})
                troubles.append(Trouble(given.origin, f"{key[0]} is text: {value} is not"))
        elif isinstance(found := _option(key, given.value), Refused):
            troubles.append(Trouble(given.origin, found))
        else:
            options[key[0]] = given._replace(value=found)
    first = next(iter(table.values())).origin
    about = plain(words["about"].value, _MAX_ABOUT) if "about" in words else ""
    return Draft(name, first, words.get("inherits"), about, options, tuple(troubles))


def _option(key: Key, value: Any) -> Any:
    option = OPTIONS.get(key[0])
    if option is None:
        known, otherwise = [*OPTIONS, "inherits", "about"], "`cargo deck config default` lists all"
        return Refused(f"there is no option {plain(key[0])}{hint(key[0], known, otherwise)}")
    if len(key) > 1:
        return Refused(f"{option.name} is {option.expected}: a table is not")
    return normal_value(option, value)


def hint(word: str, known: Sequence[str], otherwise: str = "") -> str:
    """The end of a sentence about a word that is not known; `otherwise`: in place of all that are."""
    from difflib import get_close_matches

    near = get_close_matches(word[:100], known, 1, 0.6)
    return f": did you mean {near[0]}?" if near else f": {otherwise or 'there are ' + ', '.join(known)}"


def resolve(name: str, layers: Sequence[Layer]) -> Resolved | None:
    """A mode by its name; None: there is none.

    Args:
        name: Of it.
        layers: Those that count more first. `inherits` looks in the layer where it stands and in those below; a mode
            that inherits its own name gets the one that it hides.
    """
    found = _find(name, layers, 0)
    if found is None:
        return None
    chain, troubles = _chain(found, layers)
    options: dict[str, Given] = {}
    for draft in reversed(chain):
        options.update(draft.options)
        troubles.extend(draft.troubles)
    troubles.extend(contradictions(options))
    ordered = {key: options[key] for key in OPTIONS if key in options}
    return Resolved(Mode(name, chain[0].origin, ordered, chain[0].about), tuple(troubles))


def _find(name: str, layers: Sequence[Layer], start: int) -> tuple[Draft, int] | None:
    for depth in range(start, len(layers)):
        if name in layers[depth]:
            return _draft(name, layers[depth][name]), depth
    return None


def _chain(found: tuple[Draft, int], layers: Sequence[Layer]) -> tuple[list[Draft], list[Trouble]]:
    """A mode and what it inherits, itself first, and why that ends too soon."""
    draft, depth = found
    chain, seen = [draft], [(draft.name, depth)]
    while (given := draft.inherits) is not None:
        below = _find(given.value, layers, depth + (given.value == draft.name))
        if below is None:
            return chain, [Trouble(given.origin, _why_no_base(draft, layers[depth:]))]
        draft, depth = below
        if (draft.name, depth) in seen:
            return chain, [_circle(chain[seen.index((draft.name, depth)) :])]
        if len(chain) >= _MAX_CHAIN:
            return chain, [Trouble(given.origin, f"more than {_MAX_CHAIN} modes inherit from one another")]
        seen.append((draft.name, depth))
        chain.append(draft)
    return chain, []


def _circle(ring: list[Draft]) -> Trouble:
    """The same whoever of it was asked for."""
    first = min(range(len(ring)), key=lambda at: ring[at].name)
    ring = ring[first:] + ring[:first]
    last = ring[-1].inherits
    shown_names = " → ".join(one.name for one in (*ring, ring[0]))
    return Trouble(last.origin if last else ring[-1].origin, f"modes inherit in a circle: {shown_names}")


def _why_no_base(draft: Draft, layers: Sequence[Layer]) -> str:
    base = draft.inherits.value if draft.inherits else ""
    if base == draft.name:
        return f"{draft.name} inherits itself, and there is no other mode of that name below it"
    return f"there is no mode {plain(base)} to inherit{hint(base, names(layers))}"


def names(layers: Sequence[Layer]) -> list[str]:
    """All modes, each once, those that count more first."""
    return list(dict.fromkeys(name for layer in layers for name in layer))


def why_no_mode(name: object, known: list[str]) -> str:
    """A sentence about what names no mode."""
    if not isinstance(name, str):
        return f'mode is the name of a mode, such as "dev": {shown(name)} is not'
    return f"there is no mode {shown(name)}{hint(name, known)}"


def layer_troubles(layers: Sequence[Layer]) -> tuple[Trouble, ...]:
    """What is wrong with modes of files, those that nobody chose too, each once; not much more than a hundred."""
    found: dict[Trouble, None] = {}
    for depth, layer in enumerate(layers):
        for name in layer:
            resolved = resolve(name, layers[depth:]) if len(found) < MOST * MOST else None
            found.update(dict.fromkeys(resolved.troubles if resolved else ()))
    return tuple(found)


def contradictions(options: Mapping[str, Given]) -> tuple[Trouble, ...]:
    """Options of one mode of which one makes the other useless, with both places."""

    def says(name: str, *values: Any) -> bool:
        return name in options and options[name].value in values

    found = []
    if says("incremental", True) and says("cache", "sccache"):
        found.append(("incremental", "cache", "sccache keeps nothing that is compiled incrementally"))
    if says("lto", "thin", "fat") and says("backend", "cranelift"):
        found.append(("lto", "backend", "cranelift cannot optimize across crates"))
    has_debug = any(
        name in options and options[name].value != "none" for name in ("debug", "deps-debug", "build-debug")
    )
    if says("split-debuginfo", "packed", "unpacked") and "debug" in options and not has_debug:
        found.append(("split-debuginfo", "debug", "there is no debug information to put beside the program"))
    return tuple(_contradiction(options, *one) for one in found)


def _contradiction(options: Mapping[str, Given], name: str, other: str, why: str) -> Trouble:
    """Told of the place that stands in a file: a built-in mode is not what a person can mend."""
    if not options[name].origin.line and options[other].origin.line:
        name, other = other, name
    one, two = options[name], options[other]
    place = f"line {two.origin.line}" if two.origin.line and two.origin.place == one.origin.place else two.origin.shown
    said = f"{name} = {shown(one.value)}, but {place} says {other} = {shown(two.value)}"
    return Trouble(one.origin, f"{said}: {why}; take one of them away")


def describe(mode: Mode) -> str:
    """A mode in one line: its name and its options."""
    if not mode.name:
        return "none: nothing is set that cargo would not do by itself"
    said = ", ".join(f"{name} {_bare(given.value)}" for name, given in mode.options.items())
    return f"{mode.name}: {said or 'nothing is set'}"


def _bare(value: Any) -> str:
    return value if isinstance(value, str) else shown(value)
