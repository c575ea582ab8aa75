"""What is there, put together: machine, toolchain, tools, and what of the environment matters to a build."""

import os
from collections.abc import Mapping, Sequence

from core.paths import Paths
from core.plan.answers import Answers, Question, open_answers
from core.plan.found import Found, Target, Toolchain
from core.plan.given import Settings
from core.plan.machine import find_machine
from core.plan.refused import refused_linkers
from core.plan.small_file import read_small
from core.plan.toolchain import Programs, find_toolchain
from core.plan.tools import NAMES, find_file, find_named, find_tools, program_of, search_folders
from core.run.mask import is_hidden, secrets_of
from core.run.noters import find_noters

RELEVANT = (
    "AGENT_ID", "AR", "AS", "CC", "CFLAGS", "CI", "CPATH", "CPPFLAGS", "CUDAARCHS", "CUDACXX", "CUDAHOSTCXX", "CXX",
    "CXXFLAGS", "FEATURES", "HOST_CC", "HOST_CXX", "LD", "LDFLAGS", "LD_LIBRARY_PATH", "LIBRARY_PATH", "MAKEFLAGS",
    "MODE", "NUM_JOBS", "PATH", "RANLIB", "RUSTDOCFLAGS", "RUSTFLAGS", "TARGET_CC", "TARGET_CXX", "TF_BUILD", "TMPDIR",
    "VERBOSE",
)  # fmt: skip
"""Variables that matter to a build."""
RELEVANT_PREFIXES = (
    "AR_", "CARGO_", "CC_", "CCACHE_", "CFLAGS_", "CMAKE_", "CROSS_", "CUDA_", "CXX_", "CXXFLAGS_", "DECK_", "LINKER_",
    "NEXTEST_", "NVCC_", "RUSTC", "RUSTUP_", "SCCACHE_", "WILD_",
)  # fmt: skip
"""And those whose names begin so."""

_NOTHING_SET = Settings()


def look(
    paths: Paths, *, cwd: str, env: Mapping[str, str], root: str, toolchain_word: str = "", target: str = "",
    settings: Settings = _NOTHING_SET, may_ask: bool, uses_native: bool = False, answers: Answers | None = None,
    started_in: str = "", asks_cmake: bool = False,
) -> Found:  # fmt: skip
    """Everything that a plan may rest on, for a cargo that works in `cwd` with this environment.

    Args:
        root, toolchain_word, target: Of the workspace; `+nightly` and `--target` of the command line. Empty: none.
        may_ask: Programs may be started, which takes half a second where none answered before. Else what was never
            asked, or too long ago, is named in `unasked`.
        uses_native: A mode asks for `target-cpu=native`.
        answers: What programs said before; None: what this user's file says.
        started_in: Where cargo is started, before its `-C`; empty: in `cwd`.
        asks_cmake: A mode asks for what is of use to CMake alone.
    """
    known = answers if answers is not None else open_answers(paths)
    folders = search_folders(env)
    tools = find_named(settings, env, cwd, folders)
    tools |= find_tools(NAMES, env, known, may_ask=may_ask, folders=folders)
    toolchain, programs = find_toolchain(
        toolchain_word, started_in or cwd, env, known, may_ask=may_ask, cache=paths.cache, folders=folders,
        rustc=_own_rustc(env, settings, folders),
    )  # fmt: skip
    wanted = _target(target, settings, toolchain, folders)
    if wanted is not None and not wanted.has_std:
        wanted = _looked_up(wanted, programs, env, cwd, known, may_ask=may_ask)
    uses_native = uses_native or is_native(env, settings)
    native = native_features(programs, env, known, may_ask=may_ask, target=wanted) if uses_native else ""
    if may_ask:
        known.keep()
    return Found(
        machine=find_machine(root or cwd), toolchain=toolchain, tools=tools, settings=settings, env=relevant(env),
        root=root, cwd=cwd, target=wanted, native_features=native,
        refused_linkers=refused_linkers(paths, root, tools) if root else (),
        ccache_depends=_ccache_depends(env, settings),
        has_cmake=find_noters(root).cmake if asks_cmake and root else None,
        unasked=tuple(dict.fromkeys(known.unasked)),
    )  # fmt: skip


def _ccache_depends(env: Mapping[str, str], settings: Settings) -> bool:
    """Of ccache before nvcc; False where it is not."""
    name = "CMAKE_CUDA_COMPILER_LAUNCHER"
    given = settings.get("env", name) or settings.get("env", name, "value")
    if "ccache" not in env.get(name, str(given.value) if given is not None else ""):
        return False
    from core.plan.ccache_mode import goes_by_dependencies  # few have it there

    return goes_by_dependencies(env)


def _target(typed: str, settings: Settings, toolchain: Toolchain, folders: Sequence[str]) -> Target | None:
    if not typed and settings.get("build", "target") is None:
        return None
    from core.plan.target import find_target  # few builds name one

    return find_target(typed, settings, toolchain, folders)


def _looked_up(
    target: Target, programs: Programs, env: Mapping[str, str], cwd: str, answers: Answers, *, may_ask: bool
) -> Target:
    from core.plan.target import look_up

    return look_up(target, programs, env, cwd, answers, may_ask=may_ask)


def relevant(env: Mapping[str, str]) -> dict[str, str]:
    """The variables that matter to a build; values of credentials are empty. Flags are whole, for they are added to:
    what is kept and shown of them is masked there."""
    secrets = secrets_of(dict(env))
    names = [name for name in env if name in RELEVANT or name.startswith(RELEVANT_PREFIXES)]
    return {name: "" if is_hidden(name, env[name], secrets) else env[name] for name in names}


def is_native(env: Mapping[str, str], settings: Settings) -> bool:
    """Somebody has rustc compile for just this machine's processor."""
    for name, value in env.items():
        if "target-cpu=native" in value and name.endswith("RUSTFLAGS"):
            return True
    return any(
        "target-cpu=native" in _joined(given.value) for key, given in settings.every if key[-1:] == ("rustflags",)
    )


def native_features(
    programs: Programs, env: Mapping[str, str], answers: Answers, *, may_ask: bool, target: Target | None = None,
    cpuinfo: str = "/proc/cpuinfo",
) -> str:  # fmt: skip
    """Digest of what `target-cpu=native` stands for on this host; empty: not known."""
    if not programs.rustc:
        return ""
    words: tuple[str, ...] = ("-C", "target-cpu=native", "--print", "cfg")
    if target is not None:
        words = (*words, "--target", target.triple)
    name = f"native {target.triple}" if target is not None else "native"
    question = Question(name, words, _features_digest, _processor(cpuinfo))
    answer = answers.find(question, programs.rustc, env, may_ask=may_ask)
    return answer.text if answer is not None and not answer.trouble else ""


def _features_digest(cfg: str) -> str:
    """Of the lines `target_feature="avx2"`, in any order; empty: there are none."""
    import hashlib  # 3 ms: only where rustc was asked

    features = sorted(line for line in cfg.splitlines() if line.startswith("target_feature="))
    return hashlib.blake2b("\n".join(features).encode(), digest_size=8).hexdigest() if features else ""


def _processor(cpuinfo: str) -> str:
    """What tells this processor from others: model and flags of the first one in `/proc/cpuinfo` (x86 and ARM)."""
    import zlib

    content = read_small(cpuinfo, 1 << 22)
    if content is None:
        return " ".join(os.uname()[i] for i in (0, 2, 4))
    first = content.split(b"\n\n", 1)[0]
    names = (b"flags", b"Features", b"model name", b"CPU implementer", b"CPU part")
    lines = b"\n".join(line for line in first.split(b"\n") if line.startswith(names))
    return f"{zlib.crc32(lines):08x}{len(lines):x}"


def _joined(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _own_rustc(env: Mapping[str, str], settings: Settings, folders: Sequence[str]) -> str:
    """Path of the compiler that a variable or a file names; empty: none does, or it is not there."""
    given = settings.get("build", "rustc")
    name = env.get("RUSTC") or (program_of(given) if given is not None and isinstance(given.value, str) else "")
    if not name or name == "rustc":
        return ""
    return name if name.startswith("/") else find_file(name, folders)
