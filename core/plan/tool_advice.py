"""What each tool is for, what it would change here, and which versions are known to fail at what. Pure."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from core.plan.figures import Table, measured
from core.plan.found import Found, Tool

NOT_MEASURED = "not measured"
Version = tuple[int, ...]


class Known(NamedTuple):
    """Something that versions of a tool get wrong, or that other tools wrongly take for granted."""

    tool: str
    """As in `Found.tools`; `cargo`: the toolchain's."""
    why: str
    """One sentence: what happens, and what to do."""
    since: Version = ()
    """First version; empty: the first of all."""
    before: Version = ()
    """First version without it; empty: there is none that we know of."""
    kind: str = ""
    """As `Tool.kind`, where only one kind of the tool has it."""
    beside: str = ""
    """Another tool without which it does not matter."""
    beside_since: Version = ()
    variable: str = ""
    """It happens only where this variable is set (`A`), or set to something that has a word in it (`A~word`)."""
    unless: str = ""
    """It does not happen where this variable is set so (`A=value`), or is set at all to what is not off (`A`)."""
    is_wrong: bool = True
    """What comes out is wrong, or nothing does; else it only costs, or does less than people expect."""


KNOWN = (
    Known("sccache", "it misreads what nvcc 13.3 and later say of their steps, and cubins are missing from what it "
          "hands out: sccache 0.18, or CUDA 13.2 at most", before=(0, 18), beside="nvcc", beside_since=(13, 3)),
    Known("sccache", "with SCCACHE_BASEDIRS and its direct mode it gave a C++ file of one checkout the object of "
          "another: SCCACHE_DIRECT=false", since=(0, 16), variable="SCCACHE_BASEDIRS", unless="SCCACHE_DIRECT=false"),
    Known("sccache", "it has no sockets in the file system: servers of several agents cannot be told apart, so agents "
          "share one: sccache 0.14", before=(0, 14), is_wrong=False),
    Known("sccache", "one read-only level makes its whole chain of levels read-only: sccache 0.18",
          since=(0, 15), before=(0, 18), variable="SCCACHE_MULTILEVEL_CHAIN", is_wrong=False),
    Known("sccache", "where nvcc finds an error in the code it says that the compiler was killed by signal 2, exit "
          "254: the compiler's own words stand above it", since=(0, 16), before=(0, 17), beside="nvcc",
          is_wrong=False),
    Known("sccache", "SCCACHE_BASEDIRS changes nothing for Rust: members of other checkouts are not found",
          before=(0, 18), variable="SCCACHE_BASEDIRS", is_wrong=False),
    Known("sccache", "a .cu file that it finds still took 3.4 s of the 6.1 s that nvcc takes, one that it does not "
          "find 8.3 s; with ccache and CCACHE_DEPEND=1 that was 0.02 s and 6.7 s (measured, one architecture)",
          before=(0, 17), beside="nvcc", is_wrong=False),
    Known("sccache", "it hands no jobserver on: compilers that it starts take as many threads as it has cores",
          is_wrong=False),
    Known("ccache", "it takes a changed .cu file for the old one where only code between #ifndef __CUDA_ARCH__ and "
          "#endif changed: CCACHE_DEPEND=1 (or depend_mode in its own settings)", beside="nvcc",
          unless="CCACHE_DEPEND"),
    Known("ccache", "it keeps nothing of what nvcc makes with -ptx, -cubin or -fatbin", beside="nvcc",
          is_wrong=False),
    Known("make", "it dies of a jobserver that is a fifo (internal error: invalid --jobserver-auth): make 4.4, or no "
          "such MAKEFLAGS", before=(4, 4), variable="MAKEFLAGS~fifo:"),
    Known("cc", "gcc before 12.1 does not know -fuse-ld=mold, so nothing links with mold: gcc 12.1, or clang",
          before=(12, 1), kind="gcc", beside="mold"),
    Known("ninja", "it ignores the jobserver: each ninja below a build starts as many compilers as it likes; "
          "ninja 1.13", before=(1, 13), is_wrong=False),
    Known("mold", "it takes no part in the jobserver: links side by side each use all cores", is_wrong=False),
    Known("wild", "it knows no link-time optimization by plugin: wild 0.9", before=(0, 9), is_wrong=False),
    Known("wild", "gcc has no -fuse-ld=wild: it links only where clang drives it (--ld-path)", is_wrong=False),
    Known("wild", "it takes all free tokens of the jobserver as soon as it starts", is_wrong=False),
    Known("nextest", "it runs no documentation tests: `cargo test --doc` beside it", is_wrong=False),
    Known("cargo", "where CI is set, to whatever value, it compiles nothing incrementally: CARGO_INCREMENTAL=1 or "
          "build.incremental = true brings it back", since=(1, 99), variable="CI", unless="CARGO_INCREMENTAL",
          is_wrong=False),
    Known("cargo", "other rustflags rebuild everything in a target dir, and back again: cargo 1.85", before=(1, 85),
          is_wrong=False),
)  # fmt: skip
"""As published and as tried; what is wrong stands before what costs, for each tool."""


class Use(NamedTuple):
    """What a tool is good for."""

    what: str
    settings: tuple[tuple[str, str], ...] = ()
    """Settings that need it, as `Setting.name` and `Setting.value`."""


USES: Mapping[str, Use] = {
    "cc": Use("drives the linker; compiles C"),
    "gcc": Use("the same, where cc is another compiler"),
    "clang": Use("drives wild, and mold where gcc is too old; compiles C and C++"),
    "mold": Use("links", (("linker", "mold"),)),
    "lld": Use("links", (("linker", "lld"),)),
    "wild": Use("links", (("linker", "wild"),)),
    "gold": Use("links; its makers gave it up"),
    "ld64.lld": Use("links on macOS", (("linker", "lld"),)),
    "rust-lld": Use("comes with the toolchain; links what has no system of its own: wasm, bare metal"),
    "ld": Use("links where nobody names a linker"),
    "bfd": Use("links, slowest of all; what gcc takes by itself", (("linker", "bfd"),)),
    "sccache": Use("keeps compiled libraries (no programs, no proc macros), C, C++ and CUDA", (("cache", "sccache"),)),
    "ccache": Use("keeps compiled C, C++ and CUDA", (("cxx-launcher", "ccache"), ("nvcc-cache", "ccache"))),
    "nextest": Use("runs tests, each in a process of its own"),
    "cmake": Use("what build scripts with C and C++ often need"),
    "ninja": Use("builds what CMake wrote", (("cmake-generator", "ninja"),)),
    "make": Use("builds what CMake or autoconf wrote"),
    "nvcc": Use("compiles CUDA"),
    "musl-gcc": Use("links for musl targets"),
    "cross": Use("builds for other systems in a container"),
    "rustup": Use("gets toolchains, targets and components"),
    "cranelift": Use("compiles members fast and unoptimized; nightly only", (("backend", "cranelift"),)),
}
"""By name, in the order in which people are shown them."""


_BY_DEFAULT = {
    "rust-lld": "comes with the toolchain; links where nobody names a linker",
    "ld": "links C and C++ where nobody names a linker; Rust goes with rust-lld",
}
"""Of a toolchain that links with its own lld."""


class Told(NamedTuple):
    """A tool as it is shown."""

    tool: Tool
    use: str
    """What it is for."""
    gain: str
    """What it would give, as measured, or that it was not measured; empty: it is there, or no setting needs it."""
    wrong: tuple[str, ...] = ()
    """What its version gets wrong here."""
    limits: tuple[str, ...] = ()
    """What its version does less well than people expect."""

    @property
    def state(self) -> str:
        """`there`, `missing`, `unusable`."""
        if not self.tool.path:
            return "missing"
        return "there" if self.tool.is_usable else "unusable"


def tell(found: Found, table: Table | None = None) -> tuple[Told, ...]:
    """All tools: in the order of `USES`, then others that were looked for."""
    names = [name for name in (*USES, *sorted(set(found.tools) - set(USES))) if _is_of(name, found.machine.system)]
    return tuple(_told(_tool(name, found), found, table) for name in names)


_ON_MACOS, _ON_LINUX = ("ld64.lld",), ("mold", "lld", "wild", "gold", "bfd", "musl-gcc")


def _is_of(name: str, system: str) -> bool:
    """It is of use on that system."""
    return name not in (_ON_LINUX if system == "darwin" else _ON_MACOS)


def _tool(name: str, found: Found) -> Tool:
    if name == "cranelift":
        toolchain = found.toolchain
        return Tool(name, toolchain.sysroot or toolchain.name or "rustc" if toolchain.has_cranelift else "")
    if name == "rust-lld":
        chain = found.toolchain
        path = f"{chain.sysroot}/lib/rustlib/{chain.host}/bin/rust-lld" if chain.has_own_lld else ""
        return Tool(name, path, chain.llvm if path else (), kind="lld")
    return found.tool(name)


def _told(tool: Tool, found: Found, table: Table | None) -> Told:
    use = USES.get(tool.name, Use(""))
    known = [one for one in KNOWN if one.tool == tool.name and holds(one, found)]
    wrong = tuple(one.why for one in known if one.is_wrong)
    if tool.name in found.refused_linkers:
        retry = f"`cargo deck tools retry {tool.name}`"
        wrong = (*wrong, f"it failed a link of this workspace, whose modes go without it now; {retry} if it is mended")
    what = _BY_DEFAULT.get(tool.name, use.what) if found.toolchain.links_with_lld else use.what
    return Told(
        tool, what, "" if tool.is_usable else _gain(tool.name, use, found, table), wrong,
        tuple(one.why for one in known if not one.is_wrong),
    )  # fmt: skip


def of_toolchain(found: Found) -> tuple[str, ...]:
    """What is known of this cargo."""
    return tuple(one.why for one in KNOWN if one.tool == "cargo" and holds(one, found))


_CCACHE_FOR_CUDA = "measured on one .cu file for one architecture: 6.1 s → 0.02 s where it is found, 6.7 s where not"


def _gain(name: str, use: Use, found: Found, table: Table | None) -> str:
    if not use.settings:
        return ""
    told = "; ".join(filter(None, (measured(setting, value, table) for setting, value in use.settings)))
    if name == "ccache" and found.tool("nvcc").is_usable:
        return "; ".join(filter(None, (told, _CCACHE_FOR_CUDA)))
    if name == "lld" and found.toolchain.links_with_lld:
        return "nothing: this toolchain brings its own lld and links with it"
    if name == "cranelift" and not found.toolchain.is_nightly:
        return f"nothing on this toolchain, which is not nightly{told and '; '}{told}"
    return told or NOT_MEASURED


def holds(known: Known, found: Found) -> bool:
    """It is so with what is there. A tool that did not say its version is given the benefit of the doubt."""
    if known.tool == "cargo":
        version = found.toolchain.cargo
    else:
        tool = found.tool(known.tool)
        if not tool.path:
            return False
        version = tool.version
        if known.kind and tool.kind != known.kind:
            return False
    if (known.since or known.before) and not version:
        return False
    if version < known.since or (known.before and version >= known.before):
        return False
    if known.beside and not _is_beside(known, found):
        return False
    return _is_set_so(known, found.env)


def _is_beside(known: Known, found: Found) -> bool:
    other = found.tool(known.beside)
    return bool(other.path) and (not known.beside_since or other.version >= known.beside_since)


_OFF = ("", "0", "false", "no", "off")


def _is_set_so(known: Known, env: Mapping[str, str]) -> bool:
    name, _, word = known.variable.partition("~")
    if name and (name not in env or word not in env[name]):
        return False
    name, equals, value = known.unless.partition("=")
    if not name or name not in env:
        return True
    return env[name].lower() != value if equals else env[name].lower() in _OFF


def missing(told: tuple[Told, ...]) -> Iterator[Told]:
    """Those that are not there and of which a setting could make use."""
    return (one for one in told if one.state == "missing" and one.gain)
