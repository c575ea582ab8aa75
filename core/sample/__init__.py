"""The sample workspace: sixteen small crates, half of them in a directory source that all checkouts share.

Where there is an nvcc, a checkout can have two more: `orchard-kernels`, whose build script calls nvcc, and
`orchard-grid`, whose build script has CMake and ninja do it.
"""

import hashlib
import json
import os
import shutil

FILES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "files")
RECORDING = os.path.join(os.path.dirname(os.path.abspath(__file__)), "demo.deckrec")
CUDA = ("orchard-kernels", "orchard-grid")
"""Members of a checkout with CUDA. Without nvcc (the second one: without CMake and ninja too) they are empty."""
KERNEL_HEADER = "crates/orchard-kernels/kernels/units.cuh"
"""A header that each file of kernels reads, one of them by way of another header."""
BROKEN = ("build", "-p", "orchard-rules", "--features", "broken")
"""A command that fails with two errors, E0308 and E0425."""


def write_shared(folder: str) -> None:
    """Write the shared crates, which stand for those of a registry: `folder` is their directory source."""
    shutil.copytree(os.path.join(FILES, "shared"), folder)
    for crate in os.listdir(folder):
        path = os.path.join(folder, crate)
        checksums = {"files": _checksums(path), "package": hashlib.sha256(crate.encode()).hexdigest()}
        with open(os.path.join(path, ".cargo-checksum.json"), "w", encoding="utf-8") as file:
            json.dump(checksums, file)


def write_checkout(folder: str, shared: str, *, has_cuda: bool = False) -> None:
    """Write one checkout of the workspace, whose dependencies come from the directory source `shared`."""
    shutil.copytree(os.path.join(FILES, "workspace"), folder)
    if has_cuda:
        _add_cuda(folder)
    os.mkdir(os.path.join(folder, ".cargo"))
    with open(os.path.join(folder, ".cargo", "config.toml"), "w", encoding="utf-8") as file:
        file.write('[source.crates-io]\nreplace-with = "grove"\n\n')
        file.write(f"[source.grove]\ndirectory = {json.dumps(shared)}\n")


def _add_cuda(folder: str) -> None:
    """Add the members to a checkout, and to its Cargo.lock, which cargo keeps in order."""
    for name in CUDA:
        shutil.copytree(os.path.join(FILES, "cuda", name), os.path.join(folder, "crates", name))
    path = os.path.join(folder, "Cargo.lock")
    with open(path, encoding="utf-8") as file:
        head, *packages = file.read().rstrip("\n").split("\n\n[[package]]\n")
    packages += [f'name = "{name}"\nversion = "0.3.0"' for name in CUDA]
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n\n[[package]]\n".join((head, *sorted(packages))) + "\n")


def _checksums(folder: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, folder)] = hashlib.sha256(file.read()).hexdigest()
    return found
