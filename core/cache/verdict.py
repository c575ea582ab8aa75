"""What a cache server did for one compilation."""

from core.events.cache import CacheOutcome
from core.values import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """One compilation, done with. Words of its command line are as they were given: foreign text."""

    at: float
    """When it was answered, seconds since the epoch, to the millisecond."""
    tag: str
    """How the server calls it: the crate, or the name of the file that is made. Sanitised."""
    language: str
    """As in the server's own statistics: `Rust`, `C/C++`, `Assembler`, `CUDA`, `PTX`, `CUBIN`, …"""
    outcome: CacheOutcome
    reason: str = ""
    """Of `not cacheable`: `crate-type`, `incremental`, …; of `error`: `timeout`, `read`, `write`, `compile failed`,
    `server`; of a miss that was asked for, by `SCCACHE_RECACHE`: `recache`."""
    key: str = ""
    """Empty: it came to none, or the log does not say."""
    crate_name: str = ""
    crate_types: tuple[str, ...] = ()
    out_dir: str = ""
    extra_filename: str = ""
    """Of `-C extra-filename`, with its dash."""
    metadata: str = ""
    emit: tuple[str, ...] = ()
    source: str = ""
    """The file that is compiled; of a step of nvcc's the `.cu`, where the step names it."""
    output: str = ""
    """`-o` of C and CUDA; of a step of nvcc's a name without a folder."""
    is_test: bool = False
    words: tuple[str, ...] = ()
    """The command line after the compiler; empty: the log began after it."""
    hash_s: float | None = None
    lookup_s: float | None = None
    compile_s: float | None = None
    is_stored: bool = False
    began: float = 0.0
    """When it was asked for; 0: before the log begins."""
    is_driver: bool = False
    """It is nvcc itself, whose steps have verdicts of their own: counting both counts a kernel twice."""
    counters: tuple[str, ...] = ()
    """What the server's statistics add for it: `hits`, `misses`, `errors` (by language), `not_cacheable` (by reason),
    `timeouts`, `writes`, `write_errors`, `compile_fails`, `recaches`, `uncacheable_outputs`. Empty: the server died."""
