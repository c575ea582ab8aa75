"""The machine that builds of `bench.plan` are measured on: what it has, noted beside them."""

import json
import os
import subprocess
import time
from collections.abc import Mapping
from typing import NamedTuple


class Machine(NamedTuple):
    """As `machine.json` keeps it."""

    cores: int
    date: str
    """Of the measurement, `2026-11-26`."""
    tools: Mapping[str, str]
    """What builds and links, by name: what it says of its version."""
    gpu: str = ""
    """`NVIDIA H200`; empty: none."""

    @property
    def shown(self) -> str:
        """`16 cores, NVIDIA H200`."""
        return f"{self.cores} core{'' if self.cores == 1 else 's'}{f', {self.gpu}' if self.gpu else ''}"


_ASKED = {
    "rustc": ["rustc", "-V"], "cargo": ["cargo", "-V"], "nightly": ["rustc", "+nightly", "-V"],
    "mold": ["mold", "--version"], "lld": ["ld.lld", "--version"], "bfd": ["ld.bfd", "--version"],
    "cc": ["cc", "--version"], "cmake": ["cmake", "--version"], "ninja": ["ninja", "--version"],
    "nvcc": ["nvcc", "--version"], "sccache": ["sccache", "--version"],
}  # fmt: skip


def look(env: Mapping[str, str]) -> Machine:
    """This one, now."""
    said = {name: _said(argv, env) for name, argv in _ASKED.items()}
    tools = {name: _version(name, lines) for name, lines in said.items()}
    gpus = _said(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"], env)
    date = time.strftime("%Y-%m-%d", time.gmtime())
    return Machine(len(os.sched_getaffinity(0)), date, tools, gpus[0] if gpus else "")


def noted(folder: str, env: Mapping[str, str]) -> Machine:
    """That of a folder of measurements; this one where none is noted. Raises ValueError where the note is broken."""
    try:
        with open(f"{folder}/machine.json", encoding="utf-8") as file:
            return Machine(**json.load(file))
    except FileNotFoundError:
        return look(env)


def note(folder: str, env: Mapping[str, str]) -> None:
    """What is measured from now on, is on this machine."""
    with open(f"{folder}/machine.json", "w", encoding="utf-8") as file:
        json.dump(look(env)._asdict(), file)


def _version(name: str, lines: list[str]) -> str:
    if not lines:
        return "not there"
    return next((line for line in lines if "release" in line), lines[0]) if name == "nvcc" else lines[0]


def _said(argv: list[str], env: Mapping[str, str]) -> list[str]:
    try:
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    except OSError:
        return []
    return done.stdout.splitlines() if done.returncode == 0 else []
