"""What was seen of nvcc: its calls, their phases, and the kernels that they made."""

from typing import Any, NamedTuple

from core.events.base import Event
from core.values import dataclass

Verdict = str
"""What the depfile cache said of a call: `hit`, `miss`, `off`, `bypass`, SEEN; empty: nobody told its end."""
SEEN = "seen"
"""No front told of the call: it was seen among the processes."""


class Phase(NamedTuple):
    """One tool that a call ran."""

    tool: str
    """As `nvcc --time` names it: `cicc`, `ptxas`, `cudafe++`, `gcc (preprocessing 1)`, `fatbinary`, `nvlink`."""
    arch: str | None
    """`sm_90`, `compute_90`; None: for all of them."""
    elapsed_s: float
    peak_bytes: int | None = None
    """Largest resident size that was seen, 50 looks a second; None: it was over too soon."""
    source: str = ""
    """As nvcc names it; empty: not said."""


class Header(NamedTuple):
    """A file that a call read beside its source."""

    path: str
    """Absolute."""
    blob: str
    """Git's name for its content; empty: it could not be read, or was written since the call began."""


class CallError(NamedTuple):
    """What a call that failed said is wrong. None: it did not say."""

    message: str
    code: str | None
    file: str | None
    """As the compiler names it."""
    line: int | None
    column: int | None
    rendered: str
    """With the lines of source under it, at most 4 KB."""


class Kernel(NamedTuple):
    """A `__global__` function for one arch. None: not known."""

    name: str
    """Mangled."""
    arch: str
    """`sm_90`, `sm_90a`; `compute_90`: what a `-ptx` call made."""
    registers: int | None = None
    spill_store_bytes: int | None = None
    spill_load_bytes: int | None = None
    stack_bytes: int | None = None
    """Its own stack frame."""
    shared_bytes: int | None = None
    """Static shared memory of a block, without what the system reserves."""
    constant_bytes: int | None = None
    """Its own constant banks, parameters included."""
    barriers: int | None = None
    code_bytes: int | None = None
    compile_s: float | None = None
    """In ptxas."""
    called_spill_bytes: int | None = None
    """Stores and loads of the functions that it calls and that were not inlined."""
    block_threads: int | None = None
    """Threads a block: at most, by `__launch_bounds__`, or exactly; None: not said."""
    is_block_exact: bool = False
    ptxas_arch: str = ""
    """Of PTX: `sm_90` that our ptxas made these figures for, where the driver's compiler may make others; empty: they
    are those of code that the call made, or there are none."""

    @property
    def is_code(self) -> bool:
        """The call itself made code of it."""
        return self.registers is not None and not self.ptxas_arch


@dataclass(frozen=True, slots=True)
class NvccStarted(Event):
    """nvcc was called."""

    call: str
    """Which one: unique in its run."""
    package: str
    """Of the build script that called it; empty: none did, or it is not known."""
    source: str
    """Absolute path of the first one; empty: none."""
    output: str
    """Absolute; empty: not known."""
    kind: str
    """`object`, `device-object`, `ptx`, `cubin`, `fatbin`, `link`, `library`, `program`, `preprocess`, `depend`,
    `query`."""
    archs: tuple[str, ...]
    """Real ones as `sm_90`, virtual ones as `compute_90`."""
    sources: tuple[str, ...] = ()
    """All, where there are several."""
    blob: str = ""
    """Of the source as it was when the call was seen: git's name for that content; empty: it could not be read."""
    outputs: tuple[str, ...] = ()
    """One a source, where there are several."""


@dataclass(frozen=True, slots=True)
class NvccPhaseBegan(Event):
    """A tool was seen below nvcc."""

    call: str
    tool: str
    """Its program: `cicc`, `ptxas`, `cudafe++`, `cc1plus`, `fatbinary`, `nvlink`."""
    arch: str | None


@dataclass(frozen=True, slots=True)
class NvccEnded(Event):
    """A call of nvcc is over."""

    call: str
    package: str
    source: str
    output: str
    kind: str
    began: float
    """Seconds since the epoch."""
    elapsed_s: float
    cpu_s: float | None
    """User and system time of all its processes."""
    peak_bytes: int | None
    """`ru_maxrss` of the largest of its processes, from `wait4`."""
    code: int | None
    """Exit code; None: it died of a signal, or that is not known."""
    signal: int | None
    output_bytes: int | None
    """None: there is no output."""
    verdict: Verdict
    why: str
    """Of the verdict, in words."""
    phases: tuple[Phase, ...] = ()
    """In nvcc's order; empty: it ended without telling."""
    is_stale: bool | None = None
    """What the cache had is not what nvcc made; None: that was not looked at."""
    headers: tuple[Header, ...] | None = None
    """All that it read beside its source, without the toolkit and the system; None: nobody told, or too many."""
    errors: tuple[CallError, ...] | None = None
    """The first ones, of a call that failed; None: it did not, or what it printed went to a terminal."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "phases", rows_of(Phase, self.phases))
        if self.headers is not None:
            object.__setattr__(self, "headers", rows_of(Header, self.headers))
        if self.errors is not None:
            object.__setattr__(self, "errors", rows_of(CallError, self.errors))


@dataclass(frozen=True, slots=True)
class KernelsMeasured(Event):
    """What the kernels of a call need was read from what it made, up to three minutes after its end. Told again where
    more is known."""

    call: str
    source: str
    """Absolute; empty: not known."""
    output: str
    kernels: tuple[Kernel, ...]
    """In the order of the files, then of the code."""
    ptx: str = ""
    """Digest of the PTX that it made, under which its figures are known later (`core.native.kernels.kernel_store`);
    empty: it made none, or that is another one by now."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "kernels", rows_of(Kernel, self.kernels))


def rows_of(form: Any, rows: Any) -> tuple[Any, ...]:
    """Rows of a journal in their own form; those of a later version lose what is not known here.

    Raises:
        TypeError: a row is none, or too short.
    """
    return tuple(row if isinstance(row, form) else form(*row[: len(form._fields)]) for row in rows)
