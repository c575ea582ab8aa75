"""Caches before nvcc that give wrong objects, or that reach nothing. Evidence: sccache 0.16, ccache 4.7 and nvcc 13,
told in `docs/findings.md`. Pure."""

from collections.abc import Iterator

from core.plan.finding_facts import Facts, Findings, evidence_of
from core.plan.given import Given, Origin
from core.plan.plan import Evidence, Finding

LAUNCHER = "CMAKE_CUDA_COMPILER_LAUNCHER"
LAUNCHERS = (LAUNCHER, "CMAKE_CXX_COMPILER_LAUNCHER", "CMAKE_C_COMPILER_LAUNCHER")
_OPTION = "nvcc-cache"
CACHES = ("sccache", "ccache")
READS_STEPS, NEW_STEPS = (0, 18), (13, 3)
"""sccache from here on reads what nvcc from there on says of its steps."""
_OFF = ("", "0", "false", "no", "off", "disable")


def misreads_steps(sccache: tuple[int, ...], nvcc: tuple[int, ...]) -> bool:
    """That sccache hands out objects of that nvcc without cubins. Versions that are not known are taken for sound."""
    return bool(sccache) and bool(nvcc) and sccache < READS_STEPS and nvcc >= NEW_STEPS


def is_direct(value: object) -> bool:
    """What SCCACHE_DIRECT says leaves its direct mode on; None: it is not set."""
    return value is None or str(value).lower() not in _OFF


def _launchers(facts: Facts, tool: str) -> Iterator[Given]:
    """The user's own launchers that are this tool."""
    for name in LAUNCHERS:
        given = facts.any_variable(name)
        if given is not None and str(given.value).partition(";")[0].rpartition("/")[2] == tool:
            yield given


def _asked(facts: Facts) -> Given | None:
    """What a mode wants before nvcc, where it is one of these caches."""
    given = facts.wish.mode.options.get(_OPTION)
    return given if given is not None and given.value in CACHES else None


def _of_kernels(facts: Facts, tool: str) -> Given | None:
    """The user's launcher of kernels, if it is this tool."""
    return next((one for one in _launchers(facts, tool) if one == facts.any_variable(LAUNCHER)), None)


def find_sccache_steps(facts: Facts) -> Findings:
    """sccache that misreads what this nvcc says of its steps."""
    sccache, nvcc = facts.found.tool("sccache"), facts.found.tool("nvcc")
    if not misreads_steps(sccache.version, nvcc.version):
        return
    own, asked = _of_kernels(facts, "sccache"), _asked(facts)
    given = own if own is not None else asked if asked is not None and asked.value == "sccache" else None
    if given is None:
        return
    left_out = "" if own is not None else " The mode's word is left out."
    yield Finding(
        "sccache-nvcc-steps",
        "error" if own is not None else "hint",
        f"sccache {sccache.shown} misreads the steps of nvcc {nvcc.shown}: cubins are missing",
        (evidence_of(given), Evidence(Origin(sccache.path), sccache.shown), Evidence(Origin(nvcc.path), nvcc.shown)),
        f"Objects without kernels for some architectures. sccache 0.18 reads them, or CUDA 13.2 at most.{left_out}",
        f"unset {LAUNCHER}" if own is not None and own.origin.is_variable else "",
    )


def find_ccache_default(facts: Facts) -> Findings:
    """ccache before nvcc that does not go by dependencies."""
    own = _of_kernels(facts, "ccache")
    if own is None or _goes_by_dependencies(facts):
        return
    off = next((one for name in ("CCACHE_NODEPEND", "CCACHE_DEPEND") if (one := facts.any_variable(name))), None)
    yield Finding(
        "ccache-nvcc-default",
        "error",
        "ccache before nvcc without CCACHE_DEPEND=1 takes a changed kernel for the old one",
        (evidence_of(own), *((evidence_of(off),) if off is not None else ())),
        "An edit between #ifndef __CUDA_ARCH__ and #endif gives the old object (reproduced with 4.7): ccache "
        "preprocesses for one pass alone.",
        "" if off is not None and not off.origin.is_variable else _depending(off),
    )


def _depending(off: Given | None) -> str:
    unset = f"unset {off.origin.place}; " if off is not None and off.origin.place == "CCACHE_NODEPEND" else ""
    return f"{unset}export CCACHE_DEPEND=1"


def _goes_by_dependencies(facts: Facts) -> bool:
    """Variables count more than files."""
    if facts.any_variable("CCACHE_NODEPEND") is not None:
        return False
    given = facts.any_variable("CCACHE_DEPEND")
    return str(given.value).lower() not in _OFF if given is not None else facts.found.ccache_depends


def find_basedirs_launched(facts: Facts) -> Findings:
    """SCCACHE_BASEDIRS, and sccache before compilers of C, C++ and CUDA in its direct mode."""
    given, direct = facts.any_variable("SCCACHE_BASEDIRS"), facts.any_variable("SCCACHE_DIRECT")
    launchers = list(_launchers(facts, "sccache"))
    if given is None or not given.value or not launchers or not is_direct(direct.value if direct else None):
        return
    yield Finding(
        "sccache-basedirs-direct",
        "error",
        "SCCACHE_BASEDIRS with sccache's direct mode gives one checkout the object of another",
        (evidence_of(given), *(evidence_of(one) for one in launchers)),
        "A wrong program, and nothing says so (reproduced with 0.16 for C and C++); kernels are found no more often "
        "with it.",
        "" if direct is not None and not direct.origin.is_variable else "export SCCACHE_DIRECT=false",
    )


def find_without_cmake(facts: Facts) -> Findings:
    """A mode that wants a cache before CMake's nvcc, where nothing calls CMake."""
    asked = _asked(facts)
    if asked is None or facts.found.has_cmake is not False:
        return
    yield Finding(
        "nvcc-cache-unused",
        "hint",
        f'nvcc-cache = "{asked.value}" is for kernels that CMake builds, and nothing here calls CMake',
        (evidence_of(asked, f'nvcc-cache = "{asked.value}"'),),
        f"It is left out, and cargo-deck's own cache stays on: build scripts that call nvcc themselves name no "
        f"launcher, {_WHY[str(asked.value)]}",
    )


_WHY = {
    "sccache": "and sccache knows no --output-directory, which bindgen_cuda and others use.",
    "ccache": "and ccache keeps neither PTX nor cubins, which most of them make.",
}

NOTED = (find_sccache_steps, find_ccache_default, find_basedirs_launched)
"""What a build tree of CMake's can have too, which keeps its launchers."""
FINDERS = (find_sccache_steps, find_ccache_default, find_basedirs_launched, find_without_cmake)
