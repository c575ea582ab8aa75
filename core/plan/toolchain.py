"""What compiles: the toolchain that a cargo command gets, and what it brings."""

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from core.folder import names_in
from core.plan import rustup
from core.plan.answers import Answers, Question
from core.plan.foreign import first_line
from core.plan.found import Toolchain
from core.plan.given import Given, Key, Origin, Trouble
from core.plan.toml_file import read_leaves
from core.plan.toolchain_names import channel_of, host_of
from core.plan.tools import find_file, search_folders
from core.run.command import rustup_home

_LLD_HOST = "x86_64-unknown-linux-gnu"
_LLD_SINCE = (1, 90)
_LLD_SINCE_NIGHTLY = (1, 80)
"""Source: Rust's blog, 2024-05-17 and 2025-09-01."""
_MAX_TARGETS = 200


class Programs(NamedTuple):
    """The compiler and cargo of a toolchain."""

    rustc: str = ""
    """Path; empty: there is none."""
    cargo: str = ""
    sysroot: str = ""
    """Empty: it is to be asked for."""


def find_toolchain(
    word: str, cwd: str, env: Mapping[str, str], answers: Answers, *, may_ask: bool, cache: str = "", rustc: str = "",
    folders: Sequence[str] | None = None,
) -> tuple[Toolchain, Programs]:  # fmt: skip
    """The toolchain of a cargo command that is started in `cwd`, and its programs. rustup is not started.

    Args:
        word: `+nightly` of the command line; empty: there is none.
        may_ask: Programs may be started.
        cache: Folder for what was parsed; empty: nothing is kept.
        rustc: Path of a compiler that settings name; empty: the toolchain's own.
        folders: Of PATH, as `search_folders` gives them; None: they are looked for.
    """
    folders = search_folders(env) if folders is None else folders
    cargo, plain_rustc = _real_cargo(env), find_file("rustc", folders)
    is_rustups = bool(cargo or plain_rustc) and rustup.is_proxy(cargo or plain_rustc)
    if is_rustups:
        chosen = rustup.choose(word, cwd, env, lambda path: _leaves(cache, path))
        programs = _of_rustup(chosen, env)
        base = _begin(chosen)
    else:
        programs = _of_path(cargo, plain_rustc)
        base = _of_path_base(word, cargo, programs)
    if rustc:
        programs = programs._replace(rustc=rustc, sysroot="")
    return _described(base, programs, env, answers, may_ask=may_ask), programs


def _leaves(cache: str, path: str) -> tuple[Mapping[Key, Given], tuple[Trouble, ...]]:
    found = read_leaves(cache, path)
    return found.leaves, found.troubles


def _real_cargo(env: Mapping[str, str]) -> str:
    from core.run.begin import find_cargo  # which will import what plans

    return find_cargo(dict(env)) or ""


def _of_rustup(chosen: rustup.Chosen, env: Mapping[str, str]) -> Programs:
    if not chosen.folder:
        return Programs()
    cargo = rustup.cargo_of(chosen, rustup_home(env))
    return Programs(chosen.folder + "/bin/rustc", cargo, chosen.folder)


def _begin(chosen: rustup.Chosen) -> Toolchain:
    """What the name alone says."""
    channel = channel_of(chosen.name)
    return Toolchain(
        name=chosen.name, chosen_by=chosen.origin, is_installed=bool(chosen.folder), channel=channel,
        rustc=_numbers(chosen.name.split("-")[0]), host=host_of(chosen.name), sysroot=chosen.folder,
        trouble=chosen.trouble, is_coming=chosen.installs and not chosen.folder,
        coming_targets=chosen.targets if chosen.installs else (),
    )  # fmt: skip


def _of_path(cargo: str, rustc: str) -> Programs:
    if rustc and rustup.is_proxy(rustc):
        return Programs(rustc, cargo)
    sysroot = os.path.dirname(os.path.dirname(os.path.realpath(rustc))) if rustc else ""
    return Programs(rustc, cargo, sysroot if os.path.isdir(sysroot + "/lib/rustlib") else "")


def _of_path_base(word: str, cargo: str, programs: Programs) -> Toolchain:
    name = word.removeprefix("+")
    trouble = (
        f"{first_line(cargo)} is not rustup's and does not know +{first_line(name)}: leave it out"
        if word and cargo
        else ""
    )
    return Toolchain(chosen_by=Origin("PATH"), is_installed=bool(programs.rustc), trouble=trouble)


def _described(
    base: Toolchain, programs: Programs, env: Mapping[str, str], answers: Answers, *, may_ask: bool
) -> Toolchain:
    """With what its compiler and its folder say."""
    found = base
    if programs.rustc:
        answer = answers.find(Question("rustc", ("-vV",), _version_lines), programs.rustc, env, may_ask=may_ask)
        if answer is not None:
            found = _with_version(found, answer.text)
            if answer.trouble and not found.trouble:
                found = found._replace(
                    trouble=f"{first_line(programs.rustc)} {answer.trouble}; install the toolchain again"
                )
        sysroot = programs.sysroot or _asked_sysroot(programs.rustc, env, answers, may_ask=may_ask)
        found = _with_folder(found._replace(sysroot=sysroot))
    if programs.cargo:
        answer = answers.find(Question("cargo", ("-V",), _first_line), programs.cargo, env, may_ask=may_ask)
        words = answer.text.split() if answer else []
        found = found._replace(cargo=_numbers(words[1]) if len(words) > 1 else ())
    return found._replace(links_with_lld=_links_with_lld(found))


def _asked_sysroot(rustc: str, env: Mapping[str, str], answers: Answers, *, may_ask: bool) -> str:
    answer = answers.find(Question("sysroot", ("--print", "sysroot"), _first_line), rustc, env, may_ask=may_ask)
    return answer.text if answer is not None and answer.text.startswith("/") and not answer.trouble else ""


def _first_line(text: str) -> str:
    return text.strip().split("\n", 1)[0]


def _version_lines(text: str) -> str:
    """Those that are read."""
    return "\n".join(line for line in text.splitlines() if line.startswith(("release: ", "host: ", "LLVM version: ")))


def _with_version(toolchain: Toolchain, text: str) -> Toolchain:
    """Of `rustc -vV`: `release: 1.97.0-nightly`, `host: x86_64-…`, `LLVM version: 22.1.4`."""
    lines = dict(line.partition(": ")[::2] for line in text.splitlines())
    release = lines.get("release", "")
    numbers, _, mark = release.partition("-")
    if not _numbers(numbers):
        return toolchain
    return toolchain._replace(
        rustc=_numbers(numbers), channel=mark.split(".")[0] or "stable", host=lines.get("host", "") or toolchain.host,
        llvm=_numbers(lines.get("LLVM version", "")),
    )  # fmt: skip


def _with_folder(toolchain: Toolchain) -> Toolchain:
    """What lies in its sysroot."""
    rustlib = toolchain.sysroot + "/lib/rustlib"
    if not toolchain.sysroot:
        return toolchain
    own = f"{rustlib}/{toolchain.host}"
    backends = names_in(own + "/codegen-backends") if toolchain.host else []
    return toolchain._replace(
        targets=tuple(name for name in names_in(rustlib)[:_MAX_TARGETS] if _has_std(f"{rustlib}/{name}/lib")),
        has_cranelift=any("cranelift" in name for name in backends),
        has_own_lld=bool(toolchain.host) and os.access(own + "/bin/gcc-ld/ld.lld", os.X_OK),
    )


def _has_std(folder: str) -> bool:
    return any(name.startswith("libcore-") for name in names_in(folder))


def _links_with_lld(toolchain: Toolchain) -> bool:
    since = _LLD_SINCE_NIGHTLY if toolchain.is_nightly else _LLD_SINCE
    return toolchain.has_own_lld and toolchain.host == _LLD_HOST and toolchain.rustc >= since


def _numbers(text: str) -> tuple[int, ...]:
    """Of `1.95.0` or `1.95.0-nightly`; empty: it is no version."""
    words = text.split("-")[0].split(".")
    good = len(words) > 1 and all(word.isdecimal() and len(word) < 6 for word in words)
    return tuple(map(int, words)) if good else ()
