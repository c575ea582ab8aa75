"""What CMake and nvcc are told by variables, where a mode asks and the user said nothing. Pure.

Variables, none of them cargo's own: a build script's CMake reads them. Cargo does not see them, so a build without them
would go on in the same folder: CMake refuses that where the generator differs, and kernels for one GPU would be taken
for all. There, a flag that means nothing to rustc gives units, and so their folders, names of their own.
"""

from collections.abc import Callable, Iterator

from core.plan.decide_case import NO_MODE, SECOND_COPY, Case, shown
from core.plan.decide_rustflags import added, flag_key
from core.plan.decide_scope import jobs_row
from core.plan.finding_nvcc import is_direct, misreads_steps
from core.plan.given import Given, Origin
from core.plan.plan import Setting

_READS_ARCHS, _READS_NATIVE, _READS_LAUNCHERS, _READS_GENERATOR = (3, 20), (3, 24), (3, 17), (3, 15)
_CONFIGURED = "a folder that CMake configured before keeps what it has"
_APART = f"folders of their own for build scripts: {SECOND_COPY}"
_NOT_REACHED = (
    "CMake files that name architectures themselves are not reached, and those that name none have one by default"
)
_NO_LIST = "; nor are build scripts without CMake, which take one architecture alone"
_NO_TOKENS = (
    "make then starts as many whatever cargo itself runs, also where the cmake crate handed it cargo's jobserver; to "
    "ninja that crate says cargo's number of jobs anyway"
)
CACHE, VERIFY = "DECK_NVCC_CACHE", "DECK_NVCC_VERIFY"
"""What our front before nvcc reads: the folder of its cache, or that there is none; and that it compiles anyway."""
_KEEPS = "where our front stands before nvcc, what was made of the same inputs before is not compiled again"
_MISSES = "a miss takes 0.1 s or 3 % longer, and what it makes is kept (5 GB at most)"
_OTHERS = "what else calls nvcc has cargo-deck's own cache"
_CUDA_SCCACHE = "each miss takes 25 to 40 % longer than nvcc alone, each hit seconds"


def native_settings(case: Case) -> Iterator[Setting]:
    """Rows for CMake where it is there, for CUDA where nvcc is, and for whatever the mode says."""
    for tool, name, decide in _ROWS:
        wanted = case.option(name)
        if wanted is not None or case.found.tool(tool).path:
            yield decide(case, wanted)


def _left(case: Case, name: str, value: str, wanted: Given | None, *variables: str) -> Setting | None:
    """The row where nothing is set by us: the user did, or nobody asks; None: the mode wants something."""
    for variable in variables:
        own = case.variable(variable)
        if own is None:
            continue
        asks = wanted is not None and wanted.value not in ("default", "none")
        reason = f"yours stays; mode {case.mode} would set {shown(wanted.value)}" if wanted and asks else "as it is set"
        return Setting(name, shown(own.value), "user", reason, origin=own.origin)
    if wanted is None:
        reason = f"mode {case.mode} says nothing of it" if case.mode else NO_MODE
        return Setting(name, value, "cargo", f"CMake's or nvcc's own; {reason}")
    if wanted.value in ("default", "none"):
        return Setting(name, value, "mode", "CMake's or nvcc's own", origin=wanted.origin)
    return None


def _refused(case: Case, name: str, value: str, why: str) -> Setting:
    return Setting(name, value, "cargo", f"mode {case.mode} asks for more: {why}")


def _needs(case: Case, tool: str, version: tuple[int, ...] = (), what: str = "") -> str:
    """Why a tool cannot do it; empty: it can, as far as is known."""
    found = case.found.tool(tool)
    if not found.path:
        return f"{tool} is not there"
    if not found.is_asked:
        return f"{tool} was not asked yet whether it runs: the next build knows"
    if found.trouble:
        return f"{tool} cannot be used: {found.trouble}"
    if version and found.version and found.version < version:
        return f"{tool} {found.shown} does not know {what}: {'.'.join(map(str, version))} does"
    return ""


def _generator(case: Case, wanted: Given | None) -> Setting:
    left = _left(case, "cmake-generator", "default", wanted, "CMAKE_GENERATOR")
    if left is not None or wanted is None:
        return left or _refused(case, "cmake-generator", "default", "")
    why = _needs(case, "cmake", _READS_GENERATOR, "CMAKE_GENERATOR") or _needs(case, "ninja")
    if not why and case.found.target is not None:
        why = "with a target named, build scripts of this machine would go on in folders of another generator"
    if why := why or _not_apart(case):
        return _refused(case, "cmake-generator", "default", why)
    return Setting("cmake-generator", "ninja", "mode", "Ninja starts compilers without a make for each folder",
                   _APART, wanted.origin, _apart(case, "cmake_generator", "ninja"),
                   env=(("CMAKE_GENERATOR", "Ninja"),))  # fmt: skip


def _not_apart(case: Case) -> str:
    refused = flag_key(case).refused
    return f"its folders could not be kept apart from those of a plain build: {refused}" if refused else ""


def _apart(case: Case, name: str, value: str) -> tuple[str, ...]:
    """Flags that give units, and so `OUT_DIR` of their build scripts, another name."""
    return added(case, "--cfg", f'deck_{name}="{value}"')


def _parallel(case: Case, wanted: Given | None) -> Setting:
    name = "cmake-parallel"
    left = _left(case, name, "default", wanted, "CMAKE_BUILD_PARALLEL_LEVEL")
    if left is not None or wanted is None:
        return left or _refused(case, name, "default", "")
    if why := _needs(case, "cmake"):
        return _refused(case, name, "default", why)
    level = _as_many_as_jobs(case) if wanted.value == "jobs" else shown(wanted.value)
    return Setting(name, level, "mode", "`cmake --build` of a build script that says no number starts so many "
                   "compilers", _NO_TOKENS, wanted.origin,
                   env=(("CMAKE_BUILD_PARALLEL_LEVEL", level),))  # fmt: skip


def _as_many_as_jobs(case: Case) -> str:
    value = jobs_row(case).value
    return value if value.isascii() and value.isdigit() and value != "0" else str(case.share)


def _cxx_launcher(case: Case, wanted: Given | None) -> Setting:
    name, variables = "cxx-launcher", ("CMAKE_CXX_COMPILER_LAUNCHER", "CMAKE_C_COMPILER_LAUNCHER")
    left = _left(case, name, "none", wanted, *variables)
    if left is not None or wanted is None:
        return left or _refused(case, name, "none", "")
    tool = shown(wanted.value)
    why = _needs(case, "cmake", _READS_LAUNCHERS, variables[0]) or _needs(case, tool) or _unsound(case, tool)
    if why:
        return _refused(case, name, "none", why)
    return Setting(name, tool, "mode", f"{tool} keeps what C and C++ compile to", _CONFIGURED, wanted.origin,
                   env=tuple((variable, tool) for variable in variables))  # fmt: skip


def _unsound(case: Case, tool: str) -> str:
    """Combinations that were seen to give another checkout's object."""
    basedirs, direct = case.variable("SCCACHE_BASEDIRS"), case.variable("SCCACHE_DIRECT")
    if tool != "sccache" or basedirs is None or not basedirs.value:
        return ""
    if not is_direct(direct.value if direct is not None else None):
        return ""
    return (
        f"SCCACHE_BASEDIRS ({basedirs.origin.shown}) together with sccache's direct mode gives one checkout the object "
        "of another: set SCCACHE_DIRECT=false"
    )


def _nvcc_cache(case: Case, wanted: Given | None) -> Setting:
    name, launcher = "nvcc-cache", "CMAKE_CUDA_COMPILER_LAUNCHER"
    tool = shown(wanted.value) if wanted is not None else "on"
    own = case.variable(CACHE) or (case.variable(launcher) if tool not in ("off", "verify") else None)
    if own is not None:
        asks = wanted is not None and wanted.value != "on"
        reason = f"yours stays; mode {case.mode} would take {tool}" if asks else "as it is set"
        return Setting(name, shown(own.value), "user", reason, origin=own.origin)
    if why := _needs(case, "nvcc") if not case.found.tool("nvcc").path else "":
        return _refused(case, name, "off", why)
    if wanted is None or tool == "on":
        by, origin = ("mode", wanted.origin) if wanted is not None else ("deck", Origin(""))
        return Setting(name, "on", by, _KEEPS, _MISSES, origin)
    if tool == "off":
        return Setting(name, tool, "mode", "each nvcc compiles", origin=wanted.origin, env=((CACHE, "off"),))
    if tool == "verify":
        return Setting(name, tool, "mode", "each nvcc compiles, and what was kept is compared with what it makes",
                       "no time is saved", wanted.origin, env=((VERIFY, "1"),))  # fmt: skip
    return _cuda_launcher(case, wanted, tool, launcher)


def _cuda_launcher(case: Case, wanted: Given, tool: str, variable: str) -> Setting:
    """sccache or ccache before the nvcc of CMake; ours stays before any other."""
    why = _needs(case, "cmake", _READS_LAUNCHERS, variable) or _needs(case, "nvcc") or _needs(case, tool)
    if not case.found.has_cmake and case.found.has_cmake is not None:
        why = f"nothing here calls CMake, and {tool} reaches the nvcc of CMake alone: cargo-deck's own cache stays on"
    why = why or _unsound(case, tool) or _stale(case, tool)
    if why:
        return _refused(case, "nvcc-cache", "on", why)
    env = ((variable, tool),)
    if tool == "sccache":
        return Setting("nvcc-cache", tool, "mode", f"sccache keeps what CMake's kernels compile to; {_OTHERS}",
                       f"{_CUDA_SCCACHE}; {_CONFIGURED}", wanted.origin, env=env)  # fmt: skip
    return Setting("nvcc-cache", tool, "mode", "ccache keeps what CMake's kernels compile to, by their dependencies "
                   f"(without that it gives stale ones); {_OTHERS}", f"a miss takes 4 to 10 % longer; {_CONFIGURED}",
                   wanted.origin, env=(*env, ("CCACHE_DEPEND", "1")))  # fmt: skip


def _stale(case: Case, tool: str) -> str:
    """Combinations that were seen to give an old object, or one that lacks something."""
    sccache, nvcc = case.found.tool("sccache"), case.found.tool("nvcc")
    if tool == "sccache" and misreads_steps(sccache.version, nvcc.version):
        return (
            f"sccache {sccache.shown} misreads the steps of nvcc {nvcc.shown}, and cubins are missing: sccache 0.18 "
            "does not, nor does it those of CUDA 13.2"
        )
    if tool != "ccache":
        return ""
    for name in ("CCACHE_NODEPEND", "CCACHE_DEPEND"):
        own = case.variable(name)
        if own is not None and (name == "CCACHE_NODEPEND" or shown(own.value) in ("", "0", "false")):
            return f"ccache is right for kernels with CCACHE_DEPEND=1 alone, and {own.origin.shown} sets it otherwise"
    return ""


def _archs(case: Case, wanted: Given | None) -> Setting:
    left = _left(case, "cuda-archs", "default", wanted, "CUDAARCHS")
    if left is not None or wanted is None:
        return left or _refused(case, "cuda-archs", "default", "")
    value = shown(wanted.value).replace(" ", ";")
    is_native = value == "native"
    needed = _READS_NATIVE if is_native else _READS_ARCHS
    why = _needs(case, "cmake", needed, f"CUDAARCHS={value}") or _needs(case, "nvcc")
    if why := why or (_no_gpu(case) if is_native else "") or _not_apart(case):
        return _refused(case, "cuda-archs", "default", why)
    whose, one = "this machine's GPU" if is_native else value, _compute_cap(case, value)
    cost = f"what is built runs on {whose} alone; {_NOT_REACHED}{'' if is_native or one else _NO_LIST}; {_APART}"
    return Setting("cuda-archs", value, "mode", f"each kernel is compiled for {whose} alone", cost, wanted.origin,
                   _apart(case, "cuda_archs", value), env=(("CUDAARCHS", value), *one))  # fmt: skip


def _no_gpu(case: Case) -> str:
    """Why nobody can say what `native` is: CMake refuses to go on then, and nvcc takes its default. Empty: it can."""
    shown_gpus = case.variable("CUDA_VISIBLE_DEVICES")
    if shown_gpus is not None and shown(shown_gpus.value).strip() in ("", "-1", "nothing"):
        return f"{shown_gpus.origin.shown} hides every GPU, and CMake would fail: name the architecture"
    if case.found.machine.has_gpu is False:
        return 'no GPU of NVIDIA is there to be asked, and CMake would fail: name the architecture (cuda-archs = "90")'
    return ""


def _compute_cap(case: Case, value: str) -> tuple[tuple[str, str], ...]:
    """What build scripts without CMake (bindgen_cuda, cudaforge) read, where it is one number and not the user's."""
    is_one = value.isascii() and value.isdigit()
    return (("CUDA_COMPUTE_CAP", value),) if is_one and case.variable("CUDA_COMPUTE_CAP") is None else ()


def _nvcc_threads(case: Case, wanted: Given | None) -> Setting:
    name, variable = "nvcc-threads", "NVCC_APPEND_FLAGS"
    own = case.variable(variable)
    before = own.value if own is not None and isinstance(own.value, str) else ""
    if own is not None and _has_threads(before):
        reason = f"yours stays; mode {case.mode} would take {shown(wanted.value)}" if wanted else "as it is set"
        return Setting(name, shown(before), "user", reason, origin=own.origin)
    left = _left(case, name, "1", wanted)
    if left is not None or wanted is None:
        return left or _refused(case, name, "1", "")
    if why := _needs(case, "nvcc"):
        return _refused(case, name, "1", why)
    threads = min(wanted.value, case.share) if isinstance(wanted.value, int) else case.share
    if threads < 2:
        return _refused(case, name, "1", "the agent's share is one core")
    flags = f"{before} --threads={threads}".strip()
    joined = f"; behind your own of {own.origin.shown}" if own is not None and before else ""
    return Setting(name, str(threads), "mode", f"one nvcc compiles for several architectures at once{joined}",
                   "they take no jobserver token: up to that many times as many compilers", wanted.origin,
                   env=((variable, flags),))  # fmt: skip


def _has_threads(flags: str) -> bool:
    return any(word.startswith(("--threads", "-threads", "-t=")) or word == "-t" for word in flags.split())


_Decide = Callable[[Case, Given | None], Setting]
_ROWS: tuple[tuple[str, str, _Decide], ...] = (
    ("cmake", "cmake-generator", _generator),
    ("cmake", "cmake-parallel", _parallel),
    ("cmake", "cxx-launcher", _cxx_launcher),
    ("nvcc", "nvcc-cache", _nvcc_cache),
    ("nvcc", "cuda-archs", _archs),
    ("nvcc", "nvcc-threads", _nvcc_threads),
)
