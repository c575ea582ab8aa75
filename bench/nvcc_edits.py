"""A CUDA project in two worktrees, with two toolkits, and what people and programs do to it: for `bench.nvcc_cache`."""

import os
import random
import shutil
import time
from collections.abc import Callable
from typing import NamedTuple

WORKTREES = ("one", "two")
KERNELS = ("plain", "nested", "host", "asks", "named", "linked")
_MARK = "VALUE"
FILES = {
    "src/plain.cu": '#include "base.cuh"\nextern "C" __global__ void plain(float *p) { *p = BASE * VALUE; }\n',
    "src/nested.cu": (
        '#include <lib/outer.cuh>\nextern "C" __global__ void nested(float *p) { *p = OUTER * VALUE; }\n'
        "void call(float *p) { nested<<<1, 1>>>(p); }\n"
    ),
    "src/host.cu": (
        '#include "base.cuh"\n#ifndef __CUDA_ARCH__\n#include "only_host.cuh"\n#elif __CUDA_ARCH__ >= 900\n'
        '#include "only_90.cuh"\n#else\n#include "only_80.cuh"\n#endif\n'
        'extern "C" __global__ void host(float *p) { *p = ONLY * VALUE; }\n'
        "int given(float *p) { host<<<1, 1>>>(p); return ONLY; }\n"
    ),
    "src/asks.cu": (
        '#if __has_include("maybe.cuh")\n#include "maybe.cuh"\n#else\n#define MAYBE 0\n#endif\n'
        "#if __has_include(<shared.cuh>)\n#include <shared.cuh>\n#else\n#define SHARED 1\n#endif\n"
        '#include "base.cuh"\nextern "C" __global__ void asks(float *p) { *p = MAYBE + BASE * VALUE * SHARED; }\n'
    ),
    "src/named.cu": (
        "#include <cassert>\n#include <lib/outer.cuh>\nnamespace { __device__ float kept[4]; }\n"
        "__global__ void named(float *p) { assert(*p > VALUE); kept[1] += OUTER; *p = kept[0]; }\n"
        "void call(float *p) { named<<<1, 1>>>(p); }\n"
    ),
    "src/base.cuh": "#define BASE 2 * VALUE\n",
    "inc/lib/outer.cuh": '#pragma once\n#include "inner.cuh"\n#define OUTER INNER + VALUE\n',
    "inc/lib/inner.cuh": "#pragma once\n#include <deep/deep.cuh>\n#define INNER DEEP - VALUE\n",
    "inc/deep/deep.cuh": "#define DEEP VALUE\n",
    "inc/only_host.cuh": "#define ONLY VALUE\n",
    "inc/only_90.cuh": "#define ONLY VALUE\n",
    "inc/only_80.cuh": "#define ONLY VALUE\n",
    "src/linked.cu": '#include <by/link.cuh>\nextern "C" __global__ void linked(float *p) { *p = LINK * VALUE; }\n',
    "links/one/link.cuh": "#define LINK VALUE\n",
    "links/two/link.cuh": "#define LINK 10 + VALUE\n",
    "late/lib/outer.cuh": "#define OUTER 20 + VALUE\n",
    "host/g++": '#!/bin/sh\nexec /usr/bin/g++ "$@"\n',
    "early/empty.txt": "",
    "options.txt": "-DOPTION=VALUE\n",
}
"""Of one worktree; `VALUE` becomes a number."""
SHADOWS = (
    "early/base.cuh", "early/lib/outer.cuh", "early/deep/deep.cuh", "early/only_host.cuh", "src/only_90.cuh",
    "src/lib/inner.cuh", "early/maybe.cuh", "src/maybe.cuh", "inc/maybe.cuh", "path/only_80.cuh", "path/base.cuh",
    "inc/lib/deep/deep.cuh", "src/deep/deep.cuh", "early/vector_types.h", "early/crt/host_runtime.h",
    "early/fatbinary_section.h", "early/by/link.cuh", "path/shared.cuh", "late/shared.cuh",
)  # fmt: skip
"""Headers that are not there at first, and would be read in place of others."""
IN_FOLDER = "--output-directory"
FLAGS: tuple[tuple[str, ...], ...] = (
    (), ("-DMORE=1",), ("-lineinfo",), ("-O1",), ("--threads", "2"), ("-optf", "options.txt"),
    ("-Xcompiler", "-fPIC,-O2"), ("-use_fast_math",),
    ("-Xptxas", "-v"), ("-G",), ("-g",), ("--split-compile=2",), ("-MD", "-MF", "{out}.d"), ("-MD",), ("-MD", "-MP"),
    ("-MD", "-MT", "a target"), ("-isystem", "late"), ("-isystem=inc", "-isystem=late"), ("-Ilate", "-Iinc"),
    ("-Xcompiler", "-isystem,late"), ("-include", "base.cuh", "-Isrc"), ("-x", "cu"), (IN_FOLDER, "{out}.made"),
)  # fmt: skip
KINDS = ("-ptx", "-ptx", "-ptx", "-cubin", "-cubin", "-fatbin", "-c", "-dc")
ENVIRONMENTS: tuple[dict[str, str], ...] = (
    {}, {}, {}, {"CPATH": "{root}/path"}, {"NVCC_PREPEND_FLAGS": "-DBEFORE"}, {"NVCC_APPEND_FLAGS": "-DAFTER=2"},
    {"LANG": "C"}, {"CPLUS_INCLUDE_PATH": "{root}/late:{root}/path"}, {"NVCC_CCBIN": "{root}/host/g++"},
    {"CUDAFE_FLAGS": "--no_warnings"}, {"INCLUDES": "-DFROM_OUTSIDE"},
)  # fmt: skip


ASKS = 14
"""Command lines at a time."""


class Ask(NamedTuple):
    """One command line."""

    worktree: str
    kernel: str
    kind: str
    arch: str
    flags: tuple[str, ...]
    env: dict[str, str]
    toolkit: int
    is_absolute: bool

    def argv(self, root: str, out: str) -> list[str]:
        """The words behind nvcc."""
        source = f"{root}/src/{self.kernel}.cu" if self.is_absolute else f"src/{self.kernel}.cu"
        folders = [f"-I{root}/early", "-Iinc"] if self.is_absolute else ["-Iearly", "-I", "inc"]
        flags = [word.format(out=out) for word in self.flags]
        if "-G" in flags:
            flags.append("--no-compress")  # cubins then have names of temporary files: packed, nobody could mask them
        if "-g" in flags and self.kind in ("-c", "-dc"):
            flags.remove("-g")  # nvcc makes another object each time
        place = [] if IN_FOLDER in flags else ["-o", out]
        return [self.kind, f"-arch={self.arch}", *folders, *flags, source, *place]

    def made(self, out: str) -> tuple[str, str]:
        """Where the output and the depfile are."""
        if IN_FOLDER in self.flags:
            end = self.kind[1:] if self.kind in ("-ptx", "-cubin", "-fatbin") else "o"
            return f"{out}.made/{self.kernel}.{end}", f"{out}.d"
        return out, f"{out}.d"


class World:
    """Two worktrees of one content, and two toolkits."""

    def __init__(self, folder: str, toolkit: str, dice: random.Random) -> None:
        self.folder, self.dice, self.count = folder, dice, 0
        self.toolkits = [toolkit, folder + "/toolkit"]
        shutil.copytree(toolkit, self.toolkits[1], symlinks=True)
        for name in WORKTREES:
            os.makedirs(f"{self.root(name)}/.git")
            for path, text in FILES.items():
                self.write(f"{self.root(name)}/{path}", text.replace(_MARK, "7"))
            os.chmod(f"{self.root(name)}/host/g++", 0o755)
            os.symlink("../links/one", f"{self.root(name)}/inc/by")
        self.asks = [self._ask() for _ in range(ASKS)]
        settle()

    def root(self, worktree: str) -> str:
        """The folder of a worktree."""
        return f"{self.folder}/{worktree}"

    def write(self, path: str, text: str) -> None:
        """A file with this text, written anew in its place."""
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)

    def ask(self) -> Ask:
        """One of a few command lines."""
        return self.dice.choice(self.asks)

    def ask_anew(self) -> Ask:
        """One of them becomes another one; it."""
        self.asks[self.dice.randrange(ASKS)] = ask = self._ask()
        return ask

    def _ask(self) -> Ask:
        dice = self.dice
        flags = dice.choice(FLAGS) if dice.random() < 0.4 else ()
        env = dice.choice(ENVIRONMENTS) if dice.random() < 0.4 else {}
        arch = "sm_90" if dice.random() < 0.3 else "sm_80"
        kit = int(dice.random() < 0.15)
        return Ask(
            dice.choice(WORKTREES), dice.choice(KERNELS), dice.choice(KINDS), arch, flags, env, kit, dice.random() < 0.2
        )

    def edit(self) -> str:
        """Do something to the project; what it was."""
        what = self.dice.choice(_EDITS)
        return f"{what.__name__.strip('_')}: {what(self)}"

    def some_file(self) -> str:
        """A file of a worktree that is there."""
        root = self.root(self.dice.choice(WORKTREES))
        names = sorted(name for name in FILES if name != "host/g++")  # that has to stay a program
        return self.dice.choice([path for name in names if os.path.isfile(path := f"{root}/{name}")])

    def text(self, path: str) -> str:
        """What a file of the project could say: one of few, so that contents come again."""
        name = next((name for name in FILES if path.endswith("/" + name)), "")
        known = FILES.get(name) or _SHADOW_TEXTS.get(os.path.basename(path), "#define SHADOW VALUE\n")
        return known.replace(_MARK, str(self.dice.randrange(3, 7)))


_SHADOW_TEXTS = {
    "base.cuh": FILES["src/base.cuh"], "outer.cuh": "#define OUTER VALUE\n", "deep.cuh": FILES["inc/deep/deep.cuh"],
    "only_host.cuh": "#define ONLY VALUE\n", "only_90.cuh": "#define ONLY VALUE\n",
    "only_80.cuh": "#define ONLY VALUE\n",
    "link.cuh": FILES["links/one/link.cuh"], "shared.cuh": "#define SHARED VALUE\n",
    "fatbinary_section.h": "#include_next <fatbinary_section.h>\nstatic int shadowed = VALUE;\n",
    "inner.cuh": "#define INNER VALUE\n", "maybe.cuh": "#define MAYBE VALUE\n",
    "vector_types.h": "#include_next <vector_types.h>\n#define SHADOW VALUE\n",
    "host_runtime.h": "#pragma once\n#include_next <crt/host_runtime.h>\nstatic int shadow = VALUE;\n",
}  # fmt: skip


def settle() -> None:
    """Let the clock of files go on: what is written in the same moment as a compilation is rightly not kept."""
    time.sleep(0.012)


def _another_content(world: World) -> str:
    path = world.some_file()
    world.write(path, world.text(path))
    return path


def _same_size_and_old_time(world: World) -> str:
    path = world.some_file()
    old = os.stat(path)
    world.write(path, world.text(path))
    os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))
    return path


def _replaced_with_old_time(world: World) -> str:
    path = world.some_file()
    world.write(path + ".new", world.text(path))
    os.utime(path + ".new", (1e9, 1e9))
    os.replace(path + ".new", path)
    return path


def _touched(world: World) -> str:
    path = world.some_file()
    os.utime(path)
    return path


def _comment(world: World) -> str:
    path = world.some_file()
    with open(path, "a", encoding="ascii") as file:
        file.write(" \n" if path.endswith(".txt") else f"// {world.dice.randrange(3)}\n")
    return path


def _a_new_header_before_others(world: World) -> str:
    path = f"{world.root(world.dice.choice(WORKTREES))}/{world.dice.choice(SHADOWS)}"
    world.write(path, world.text(path))
    return path


def _new_headers_removed(world: World) -> str:
    root = world.root(world.dice.choice(WORKTREES))
    gone = [name for name in SHADOWS if os.path.isfile(f"{root}/{name}")]
    for name in gone:
        os.remove(f"{root}/{name}")
    for name in ("early/lib", "early/deep", "early/crt", "early/by", "src/lib", "src/deep", "inc/lib/deep", "path"):
        if os.path.isdir(f"{root}/{name}") and world.dice.random() < 0.5:
            os.rmdir(f"{root}/{name}")
    return f"{root}: {', '.join(gone)}"


def _gone_and_back(world: World) -> str:
    path = world.some_file()
    os.remove(path)
    world.write(path, world.text(path))
    return path


def _folder_swapped(world: World) -> str:
    root = world.root(world.dice.choice(WORKTREES))
    shutil.copytree(root + "/inc", root + "/inc.new", symlinks=True)
    name = world.dice.choice([name for name in FILES if name.startswith("inc/")])
    world.write(f"{root}/inc.new{name.removeprefix('inc')}", world.text(f"{root}/{name}"))
    os.rename(root + "/inc", root + "/inc.old")
    os.rename(root + "/inc.new", root + "/inc")
    shutil.rmtree(root + "/inc.old")
    return f"{root}/inc"


def _worktrees_made_alike(world: World) -> str:
    one, two = world.dice.sample(WORKTREES, 2)
    shutil.rmtree(world.root(two))
    shutil.copytree(world.root(one), world.root(two), symlinks=True)
    return f"{two} as {one}"


def _link_led_elsewhere(world: World) -> str:
    """To another folder, or a file in it becomes a link to the one in the other."""
    root = world.root(world.dice.choice(WORKTREES))
    target = world.dice.choice(("one", "two"))
    if world.dice.random() < 0.5:
        os.symlink(f"../links/{target}", root + "/by.new")
        os.rename(root + "/by.new", root + "/inc/by")
    else:
        if os.path.islink(path := f"{root}/links/{target}/link.cuh"):
            os.remove(path)
            world.write(path, world.text(path))
        os.symlink(f"../{target}/link.cuh", root + "/links/link.new")
        other = "one" if target == "two" else "two"
        os.rename(root + "/links/link.new", f"{root}/links/{other}/link.cuh")
    return f"{root}: {target}"


def _time_of_day_in_a_header(world: World) -> str:
    """One of the project, or one that the environment has every call read; in full, or pasted together."""
    name = world.dice.choice(("path/shared.cuh", "path/shared.cuh", "late/shared.cuh", "src/base.cuh"))
    path = f"{world.root(world.dice.choice(WORKTREES))}/{name}"
    macro = "BASE" if name.startswith("src") else "SHARED"
    moment = world.dice.choice(("__TIME__", f"{macro}_JOIN(__TI, ME__)", "__TI\\\nME__"))
    text = f"#define {macro}_JOIN(a, b) a##b\n#define {macro} {moment}[7] * {world.dice.randrange(3, 7)}\n"
    world.write(path, text)
    return path


def _host_compiler(world: World) -> str:
    path = f"{world.root(world.dice.choice(WORKTREES))}/host/g++"
    more = world.dice.choice(("", "-DHOST=1 "))  # with more than a program, the script is not understood
    world.write(path, FILES["host/g++"].replace('"$@"', f'{more}"$@"'))
    return path


def _profile_of_the_toolkit(world: World) -> str:
    path = world.toolkits[1] + "/bin/nvcc.profile"
    with open(world.toolkits[0] + "/bin/nvcc.profile", encoding="ascii") as file:
        text = file.read()
    world.write(path, text.replace('"-I$(TOP)', f'"-DKIT={world.dice.randrange(3)}" "-I$(TOP)'))
    return path


def _header_of_the_toolkit(world: World) -> str:
    path = world.toolkits[1] + "/include/vector_types.h"
    with open(world.toolkits[0] + "/include/vector_types.h", encoding="utf-8") as file:
        text = file.read()
    world.write(path, f"{text}\n#define KIT_HEADER {world.dice.randrange(3)}\n")
    return path


def _program_of_the_toolkit(world: World) -> str:
    path = f"{world.toolkits[1]}/bin/{world.dice.choice(('ptxas', 'fatbinary'))}"
    shutil.copy2(f"{world.toolkits[0]}/bin/{os.path.basename(path)}", path + ".new")
    with open(path + ".new", "ab") as file:
        file.write(b"\0" * world.dice.randrange(4))
    os.replace(path + ".new", path)
    return path


def _another_command_line(world: World) -> str:
    return str(world.ask_anew())


def _nothing(world: World) -> str:
    return f"{world.count}"


_USUAL: tuple[Callable[[World], str], ...] = (_another_content, _same_size_and_old_time, _a_new_header_before_others)
_EDITS: tuple[Callable[[World], str], ...] = (
    *_USUAL, *_USUAL, *_USUAL, _replaced_with_old_time, _touched, _comment, _new_headers_removed, _new_headers_removed,
    _gone_and_back, _folder_swapped, _worktrees_made_alike, _profile_of_the_toolkit, _header_of_the_toolkit,
    _program_of_the_toolkit, _another_command_line, _another_command_line, _nothing, _link_led_elsewhere,
    _link_led_elsewhere, _time_of_day_in_a_header, _host_compiler,
)  # fmt: skip
