"""What a proof needs: the command that built what is there, a world over all folders in question."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from core.native.proofs.cache_servers import calls_server, without_servers
from core.native.proofs.prove import Baseline, Command, NotRun, Prover
from core.native.proofs.scratch import Scratch, make_scratch
from core.native.staleness.doctor import Examined, Place
from core.native.staleness.stale import Case
from core.native.traces.nvcc_calls import runs_in
from core.paths import Paths
from core.plan.small_file import read_object
from core.run.fronts import without_fronts
from core.run.grammar import ALIASES, COMMANDS
from core.run.identity import git_root

_FLAGS = ("--offline", "-v", "--message-format=json-render-diagnostics")
_AS_BUILT = {"run": "build", "check": "check", "clippy": "check", "build": "build", "test": "test", "bench": "bench"}
_NO_RUN = ("test", "bench")


class Proof(NamedTuple):
    """A world that was built once."""

    prover: Prover
    baseline: Baseline
    scratch: Scratch
    command: Command
    dirs: tuple[str, ...] = ()
    """Words for cargo: where it builds."""


@contextlib.contextmanager
def proof_of(
    paths: Paths, place: Place, examined: Examined, words: Sequence[str], *, is_copied: bool = False
) -> Iterator[Proof]:
    """A world in which what was examined is built; it is gone afterwards.

    Args:
        paths: Ours.
        place: Where.
        examined: The build scripts in question and their inputs.
        words: Cargo's, as `build --release`; empty: those of the last recorded build there, else from what is there.
        is_copied: Without an overlay, even where the system has one.

    Raises:
        ScratchError: The world cannot be made, it does not build, or that runs none of the build scripts.
    """
    env = without_servers(paths, place.workspace, plain_env(place.env))
    is_copied = is_copied or calls_server(examined.scripts, env)
    with make_scratch(paths, roots_of(place, examined), env, is_copied=is_copied) as scratch:
        dirs = dirs_of(scratch, place)
        command = command_for(paths, place, examined.scripts, words, env)
        try:
            proof = _begun(scratch, command, examined, dirs)
        except NotRun:
            if words:
                raise
            # what was recorded is not there, or not as it was: what is there
            command = command_for(paths, place, examined.scripts, _from_units(examined.scripts), env)
            proof = _begun(scratch, command, examined, dirs)
        yield proof


def _begun(scratch: Scratch, command: Command, examined: Examined, dirs: tuple[str, ...]) -> Proof:
    command = command._replace(argv=(*command.argv, *dirs))
    prover = Prover(scratch, command, examined.scripts)
    return Proof(prover, prover.baseline(), scratch, command, dirs)


def dirs_of(scratch: Scratch, place: Place) -> tuple[str, ...]:
    """Words for cargo: where it is to build, where it would not by itself."""
    target = place.target_dir or place.build_dir
    if scratch.kind != "copy":
        return ("--target-dir", target) if place.is_given else ()
    apart = ("--config", f"build.build-dir={json.dumps(scratch.at(place.build_dir))}")
    return ("--target-dir", scratch.at(target), *(apart if place.build_dir != target else ()))


def plain_env(env: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment without what cargo-deck adds to it."""
    kept = {name: value for name, value in env.items() if not name.startswith("DECK_")}
    return {**kept, "PATH": without_fronts(kept.get("PATH", ""))}


def roots_of(place: Place, examined: Examined) -> tuple[str, ...]:
    """Folders that an edit or a build may change: the checkout, the build dir, and where inputs lie outside."""
    top = git_root(place.workspace) or place.workspace
    outside = {os.path.dirname(os.path.realpath(path)) for path in examined.inputs}
    packages = {case.script.root for case in examined.scripts if case.script.root}
    wanted = (top, place.build_dir, place.target_dir, *sorted(packages), *sorted(outside))
    return tuple(one for one in dict.fromkeys(wanted) if os.path.isdir(one) and os.access(one, os.W_OK))


def command_for(
    paths: Paths, place: Place, cases: Sequence[Case], words: Sequence[str], env: Mapping[str, str]
) -> Command:
    """The command that builds what is there once more."""
    given = list(words) or recorded_words(paths, place) or _from_units(cases)
    given = given[1:] if given[:1] == ["cargo"] else given
    subcommand = ALIASES.get(given[0], given[0]) if given else "build"
    options = given[1 : given.index("--")] if "--" in given else given[1:]
    if subcommand in _NO_RUN and "--no-run" not in options:
        options = [*options, "--no-run"]
    argv = (place.cargo, subcommand, *_without_formats(options), *_FLAGS)
    return Command(argv, place.workspace, env)


def _without_formats(options: Sequence[str]) -> list[str]:
    """Without what says how cargo speaks, and where it builds."""
    kept: list[str] = []
    is_value = False
    for word in options:
        name, equals, _ = word.partition("=")
        if is_value:
            is_value = False
        elif name in ("--message-format", "--target-dir"):
            is_value = not equals
        elif word not in ("-q", "--quiet", "-v", "-vv", "--verbose", "--offline"):
            kept.append(word)
    return kept


def recorded_words(paths: Paths, place: Place, *, has_packages: bool = False) -> list[str]:
    """Cargo's words of the last recorded build in that dir; empty: there is none that can be repeated. `has_packages`:
    it may be of some packages alone."""
    for run in runs_in(paths, (place.build_dir,)):
        record = read_object(f"{paths.run(run)}/run.json")
        if record.get("tool") != "cargo" or record.get("is_masked"):
            continue
        typed, subcommand = record.get("typed"), record.get("subcommand")
        if not isinstance(typed, list) or not all(isinstance(word, str) for word in typed):
            continue
        if not has_packages and named_packages(typed):
            continue
        if subcommand in _AS_BUILT and typed and typed[0] in (subcommand, *COMMANDS, *ALIASES):
            return [_AS_BUILT[str(subcommand)], *typed[1:]]
    return []


def named_packages(words: Sequence[str]) -> list[str]:
    """Packages that a command names: `-p app`, `-papp`, `--package=app`."""
    behind = [words[at + 1] for at, word in enumerate(words[:-1]) if word in ("-p", "--package")]
    joined = [word[2:].removeprefix("=") for word in words if word.startswith("-p") and len(word) > 2]
    return [*behind, *joined, *(word.partition("=")[2] for word in words if word.startswith("--package="))]


def _from_units(cases: Sequence[Case]) -> list[str]:
    """From the units that are there: packages, their features, profile and target, as they were built last."""
    words = ["build"]
    in_order = sorted(cases, key=lambda case: case.script.began_ns)
    target, _, profile = (in_order[-1].script.profile if in_order else "debug").rpartition("/")
    latest = {(case.script.package, case.script.root): case for case in in_order
              if case.script.profile == in_order[-1].script.profile}  # fmt: skip
    cases = tuple(latest.values())
    words += {"debug": [], "release": ["--release"]}.get(profile, ["--profile", profile])
    words += ["--target", target] if target else []
    names = sorted({case.script.package for case in cases})
    for name in names:
        words += ["-p", name]
    features = sorted({f"{case.script.package}/{one}" for case in cases for one in case.script.features})
    return [*words, "--no-default-features", "--features", ",".join(features)] if features else words
