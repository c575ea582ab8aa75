"""What is said where there is nothing native to look at, and what to do about it. Pure, but for a look at PATH."""

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence

from core import events as e
from core.events.native import SEEN
from core.nvcc_queries import COMPILING

NO_NVCC = (
    "nvcc is not in PATH: no kernel can be compiled here. Install a CUDA toolkit, or put its bin folder there:",
    "export PATH=/usr/local/cuda/bin:$PATH",
)
_MAX_NAMES = 3
_NOTHING_MADE = (
    "No kernel is known of this run: it did not call nvcc, what it made held no code, or a cache gave what nobody "
    "measured."
)


def has_nvcc(env: Mapping[str, str]) -> bool:
    """A program of that name is in PATH."""
    return shutil.which("nvcc", path=env.get("PATH", "")) is not None


def nothing_native(what: str, packages: Sequence[str], env: Mapping[str, str]) -> str:
    """Why there is nothing to judge, or to prove, and what to do.

    Args:
        what: `judge`, `prove`.
        packages: Whose build scripts ran in the target dir.
        env: The caller's.
    """
    if not packages:
        ran = f"There is nothing to {what}: no build script of a package here has run in this target dir."
        return f"{ran} Where there is one, build first: cargo deck build."
    more = f" and {len(packages) - _MAX_NAMES} more" if len(packages) > _MAX_NAMES else ""
    names = ", ".join(packages[:_MAX_NAMES]) + more
    said = f"There is nothing to {what}: no native output of what build scripts made ({names}) is known."
    return said if has_nvcc(env) else " ".join((said, *NO_NVCC))


def no_kernel(ended: Sequence[e.NvccEnded]) -> str:
    """Why no kernel is known of a run.

    Args:
        ended: Its calls of nvcc.
    """
    calls = [one for one in ended if one.kind in COMPILING]
    whys = Counter(one.why for one in calls if one.verdict == SEEN)
    failed = sum(one.code not in (0, None) or one.signal is not None for one in calls)
    if whys:
        why = next((why for why, _ in whys.most_common() if why), "no front stood before it")
        return f"No kernel is known of this run: nvcc was seen {whys.total()}×, but {why}."
    if failed and failed == len(calls):
        return f"No kernel is known of this run: nvcc failed, {failed} of {len(calls)} calls."
    return _NOTHING_MADE
