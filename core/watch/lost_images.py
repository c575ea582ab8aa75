"""Code that was gone before the front came to keep it, as on a busy machine: nvcc removes its files. Pure."""

import re

from core.native.kernels.arch import number_of
from core.native.kernels.kept import Image, images_of
from core.watch.nvcc_notes import Kept

_ARCH_WORDS = re.compile(r"(?:^|(?<=\s))(?:-arch|--gpu-name)(?:=|\s+)\S+")


def lost_images(kept: Kept) -> tuple[tuple[str, Image], ...]:
    """Archs that ptxas was called for, as nvcc tells, and of which no cubin was kept: each with the PTX that was."""
    here = {number_of(arch) for arch, kind, _ in kept.files if kind == "cubin"}
    made = {phase.arch for phase in kept.ended.phases if phase.tool == "ptxas" and phase.arch}
    archs = {number_of(arch): arch for arch in made if number_of(arch) not in here}
    gone = {
        name.removesuffix("ptx") + "cubin": archs[number_of(arch)]
        for arch, kind, name in kept.files
        if kind == "ptx" and number_of(arch) in archs
    }
    named = images_of([(arch, "cubin", name) for name, arch in gone.items()], kept.sources)
    return tuple(
        (gone[image.cubin], Image("", image.cubin.removesuffix("cubin") + "ptx", image.source)) for image in named
    )


def without_arch(options: str) -> str:
    """Options of ptxas but for the arch: within a call of nvcc the others are the same for all."""
    return _ARCH_WORDS.sub("", options)
