"""What `--target` asks for: whether its std is there, and what would link it."""

import os
from collections.abc import Mapping, Sequence

from core.plan.answers import Answers, Question
from core.plan.found import Target, Toolchain
from core.plan.given import Origin, Settings
from core.plan.toolchain import Programs
from core.plan.tools import find_file, program_of

_KNOWN = "known"
_MAX_NAME = 100
_PREFIXES = {
    "x86_64-unknown-linux-gnu": "x86_64-linux-gnu-",
    "i686-unknown-linux-gnu": "i686-linux-gnu-",
    "riscv64gc-unknown-linux-gnu": "riscv64-linux-gnu-",
    "x86_64-pc-windows-gnu": "x86_64-w64-mingw32-",
    "i686-pc-windows-gnu": "i686-w64-mingw32-",
}
"""Of the compilers that distributions have for other machines, where the triple does not say it."""
_SAME_MACHINE = {"i686": "x86_64", "i586": "x86_64"}
"""The compiler of the second makes code for the first."""
_OWN_LINKER = ("-none", "-uefi", "-wasi", "wasm32-unknown-unknown", "wasm32v1", "wasm64")
"""In triples of what the toolchain's own linker links."""


def find_target(wanted: str, settings: Settings, toolchain: Toolchain, folders: Sequence[str]) -> Target | None:
    """The target of a build; None: it is built for the host. Of several, the first.

    Args:
        wanted: Value of `--target`; empty: not given.
        settings: Cargo's, for `build.target` and the linker.
        toolchain: What compiles.
        folders: Where programs are looked for.
    """
    given = settings.get("build", "target")
    origin = Origin("--target")
    triple = wanted
    if not triple and given is not None:
        first = given.value[0] if isinstance(given.value, list | tuple) and given.value else given.value
        triple, origin = (first if isinstance(first, str) else ""), given.origin
    if triple == "host-tuple":
        triple = toolchain.host
    if not triple:
        return None
    chosen = settings.get("target", triple, "linker")
    own = chosen is not None and isinstance(chosen.value, str) and chosen.value != ""
    linker = program_of(chosen) if chosen is not None and own else needed_linker(triple, toolchain.host)
    return Target(
        triple=triple, origin=origin, has_std=triple in toolchain.targets, linker=linker,
        is_linker_there=is_linker_there(linker, toolchain, folders),
    )  # fmt: skip


def look_up(
    target: Target, programs: Programs, env: Mapping[str, str], cwd: str, answers: Answers, *, may_ask: bool
) -> Target:
    """The target with what is known of its name, where no std of it is installed.

    Args:
        target: As `find_target` gives it.
        programs: The compiler that would have to know it.
        env: For `RUST_TARGET_PATH`, whose folders rustc looks for where cargo works.
        cwd: Where cargo works.
        answers: What programs said before.
        may_ask: The compiler may be asked which targets it knows.
    """
    if target.has_std:
        return target
    files = _specifications(target, programs.sysroot, env, cwd)
    is_there = any(map(os.path.isfile, files))
    if is_there or target.triple.endswith(".json"):
        return target._replace(is_own=True, is_known=is_there)
    if not programs.rustc or not 0 < len(target.triple) <= _MAX_NAME:
        return target
    question = Question(
        f"target {target.triple}", ("--print", "target-list"), lambda listed: _nearest(target.triple, listed.split())
    )
    answer = answers.find(question, programs.rustc, env, may_ask=may_ask)
    if answer is None or answer.trouble or answer.text == _KNOWN:
        return target
    return target._replace(is_known=False, nearest=answer.text)


def _specifications(target: Target, sysroot: str, env: Mapping[str, str], cwd: str) -> list[str]:
    """Paths of files, each of which would describe the target."""
    if target.triple.endswith(".json"):
        return [os.path.join(_base_of(target.origin, cwd), target.triple)]
    folders = [one for one in env.get("RUST_TARGET_PATH", "").split(":") if one]
    files = [os.path.join(cwd, folder, f"{target.triple}.json") for folder in folders]
    return [*files, f"{sysroot}/lib/rustlib/{target.triple}/target.json"] if sysroot else files


def _base_of(origin: Origin, cwd: str) -> str:
    """What a path is relative to: the folder above that of the config file which says it."""
    return os.path.dirname(os.path.dirname(origin.place)) if origin.is_file else cwd


def _nearest(triple: str, known: Sequence[str]) -> str:
    """`_KNOWN`, or what it may have been meant for; empty: nothing is near."""
    if triple in known or not known:
        return _KNOWN
    from difflib import get_close_matches

    return next(iter(get_close_matches(triple, known, 1, 0.6)), "")


def needed_linker(triple: str, host: str) -> str:
    """What links a target where nobody chose something; empty: not known.

    rustc itself calls `cc` for most; that of another machine cannot do it, so its own one is named.
    """
    arch = triple.split("-", 1)[0]
    if any(part in triple for part in _OWN_LINKER):
        return "rust-lld"
    if triple.endswith("-emscripten"):
        return "emcc"
    if triple.endswith("-windows-msvc"):
        return "link.exe"
    if triple == host or (_is_same_machine(arch, host) and _system(triple) == _system(host)):
        return "cc"
    if "-linux-musl" in triple:
        return f"{_gnu_arch(arch)}-linux-musl{triple.partition('-linux-musl')[2]}-gcc"
    if triple.endswith("-darwin"):
        return "cc" if host.endswith("-darwin") else ""
    if "-linux-android" in triple:
        return triple.replace("-unknown", "") + "-clang"
    prefix = _PREFIXES.get(triple) or (
        f"{_gnu_arch(arch)}-linux-{triple.rpartition('-')[2]}-" if "-linux-gnu" in triple else ""
    )
    return prefix + "gcc" if prefix else ""


def is_linker_there(linker: str, toolchain: Toolchain, folders: Sequence[str]) -> bool:
    """It can be started; one that is not known cannot."""
    if linker.startswith("/"):
        return os.access(linker, os.X_OK) and os.path.isfile(linker)
    if linker == "rust-lld" and toolchain.sysroot and toolchain.host:
        return os.access(f"{toolchain.sysroot}/lib/rustlib/{toolchain.host}/bin/rust-lld", os.X_OK)
    return bool(linker) and bool(find_file(linker, folders))


def _is_same_machine(arch: str, host: str) -> bool:
    here = host.split("-", 1)[0]
    return arch == here or _SAME_MACHINE.get(arch) == here


def _system(triple: str) -> str:
    """`linux`, `darwin`, `windows`; gnu and musl are one."""
    return next((name for name in ("linux-android", "linux", "darwin", "windows", "freebsd") if name in triple), triple)


def _gnu_arch(arch: str) -> str:
    """As the prefixes of compilers write it: `armv7` and the thumbs are `arm`, `riscv64gc` is `riscv64`."""
    if arch.startswith(("arm", "thumb")):
        return "arm"
    return {"riscv64gc": "riscv64", "riscv32gc": "riscv32", "i586": "i686"}.get(arch, arch)
