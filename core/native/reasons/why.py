"""Why each unit of a run was rebuilt, or was not although a file near it changed.

What tools said comes first: cargo's reasons (`-v`), ninja's (`-d explain`), the front's notes of nvcc. What nobody said
is found by times, as long as no later build has overwritten them: what changed between the build before and this one.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from core.native.reasons.make_tree import Moment, outputs_by_cmake
from core.native.reasons.rebuilt import By, Why
from core.native.reasons.why_make import Tree, left_whys, make_whys
from core.native.staleness.closure import Made
from core.native.staleness.cover import Watched
from core.native.staleness.doctor import TICK_NS
from core.native.staleness.input_state import read_stamp
from core.native.staleness.stale import Case, tail_of, times, uncovered
from core.native.traces.build_tree import all_files
from core.native.traces.first_built import born_ns
from core.native.traces.ninja_deps import deps_in
from core.native.traces.ninja_explain import read_explained, reasons_of
from core.native.traces.ninja_file import read_ninja
from core.native.traces.ninja_log import read_ninja_log
from core.native.traces.nvcc_calls import NvccCall
from core.native.traces.units import Unit
from core.plan.small_file import read_head, read_small

MAX_FILES = 200
_MAX_LOG = 1 << 24
_MAX_NINJA = 1 << 20
"""Of `build.ninja`: a longer one takes seconds."""
_ASIDE = ("Cargo.lock", ".gitignore", ".gitattributes", "README.md", "CHANGELOG.md")


class Facts(NamedTuple):
    """What is known of one run."""

    began_ns: int
    ended_ns: int
    before_ns: int = 0
    """When the build before it in the same dir began; 0: none is known."""
    told: tuple[tuple[str, str], ...] = ()
    """Cargo's reasons, by package."""
    compiled: tuple[str, ...] = ()
    """Packages of which something was compiled."""
    calls: tuple[NvccCall, ...] = ()
    logs: tuple[str, ...] = ()
    """Files that may hold words of ninja's."""
    cases: tuple[Case, ...] = ()
    """Build scripts as they are now."""
    units: tuple[Unit, ...] = ()
    """Crates that were compiled since it began."""
    trees: tuple[str, ...] = ()
    """Build trees of ninja's beside those of build scripts."""
    made: tuple[Tree, ...] = ()
    """What make, compilers and archivers left there."""
    born_ns: Callable[[str], int] = born_ns
    changed: Mapping[str, int] = {}
    """Files of packages that were changed since the build before, with their mtimes."""
    hidden: Mapping[str, str] = {}
    """Files with another content than the build read, and an older mtime; with who did not see it."""
    first: Mapping[tuple[str, str], str] = {}
    """What was built for the first time: why it was not there, by package, and `crate` or `script`."""

    def is_of_it(self, at_ns: int) -> bool:
        """It happened in this run."""
        return self.began_ns - TICK_NS <= at_ns <= self.ended_ns + TICK_NS

    def is_edit(self, at_ns: int, until_ns: int) -> bool:
        """A change since the build before, and in time to be seen."""
        return 0 < self.before_ns < at_ns <= until_ns


def explain(facts: Facts) -> tuple[Why, ...]:
    """Every unit that was rebuilt, and those that were not though something changed; crates first."""
    scripts = {case.script.unit: case for case in facts.cases if facts.is_of_it(case.script.began_ns)}
    found = [
        *_crates(facts, tuple(scripts.values())), *_scripts(facts, scripts.values()), *_calls(facts),
        *_ninja(facts), *_make(facts), *_missed(facts), *_hidden(facts), *_idle(facts), *_unwatched(facts),
    ]  # fmt: skip
    return tuple(dict.fromkeys(found))


# Crates


def _crates(facts: Facts, scripts: Sequence[Case]) -> Iterator[Why]:
    told: dict[str, None] = {}
    for package, reason in facts.told:
        told[package] = None
        yield Why(package, "crate", True, reason, "cargo", package)
    by_fingerprint = {unit.fingerprint: unit for unit in facts.units if facts.is_of_it(unit.invoked_ns)}
    ran = {case.script.package for case in scripts}
    for package in dict.fromkeys(facts.compiled):
        if package not in told:
            units = [unit for unit in by_fingerprint.values() if unit.package == package]
            first = facts.first.get((package, "crate"), "")
            reason = _by_sources(facts, units) or first or _by_script(package, ran) or _by_needs(units, by_fingerprint)
            yield Why(package, "crate", True, reason, "times" if reason else "", package)


def _by_sources(facts: Facts, units: Iterable[Unit]) -> str:
    edited = {path: unit for unit in units for path in unit.sources if facts.is_edit(times(path)[0], unit.invoked_ns)}
    if not edited:
        return ""
    newest = max(edited, key=lambda path: times(path)[0])
    more = f", and {len(edited) - 1} more" if len(edited) > 1 else ""
    return f"{tail_of(newest)} has changed since the build before{more}"


def _by_script(package: str, ran: set[str]) -> str:
    return "its build script ran" if package in ran else ""


def _by_needs(units: Sequence[Unit], by_fingerprint: Mapping[str, Unit]) -> str:
    names = {by_fingerprint[one].package for unit in units for one in unit.needs if one in by_fingerprint}
    names -= {unit.package for unit in units}
    return f"what it depends on was rebuilt: {', '.join(sorted(names)[:3])}" if names else ""


# Build scripts


def _scripts(facts: Facts, ran: Iterable[Case]) -> Iterator[Why]:
    """Those that ran in this run."""
    for case in ran:
        package = case.script.package
        first = facts.first.get((package, "script"), "")
        reason = first or _by_declared(facts, case)
        by: By = "" if not reason else "times" if first else "declared"
        yield Why(f"{package} (build script)", "script", True, reason, by, package)


def _by_declared(facts: Facts, case: Case) -> str:
    missing = case.cover.missing
    if missing:
        return f"{missing[0].declared} is declared and not there: it runs at each build"
    if case.cover.style == "package":
        listed = [path for path in case.cover.listed or () if facts.is_edit(times(path)[0], case.script.began_ns)]
        newest = max(listed, key=lambda path: times(path)[0], default="")
        return f"{tail_of(newest)} has changed, and nothing is declared" if newest else ""
    for watched in case.cover.watched:
        path = _newest(watched)
        if path and facts.is_edit(times(path)[0], case.script.began_ns):
            whose = "" if watched.script.unit == case.script.unit else f" (declared by {watched.script.package})"
            within = f", in {watched.declared}" if watched.kind == "folder" else ""
            return f"{tail_of(path)} has changed{within}{whose}"
    return ""


def _newest(watched: Watched) -> str:
    match watched.kind:
        case "file":
            return watched.path
        case "folder":
            return max((watched.path, *all_files(watched.real)), key=lambda path: times(path)[0])
        case "missing":
            return ""
        case _:
            raise TypeError(watched.kind)


# nvcc


def _calls(facts: Facts) -> Iterator[Why]:
    made = {one.output: one for case in facts.cases for one in case.made}
    for call in facts.calls:
        if call.makes and call.output:
            yield Why(call.output, "call", call.verdict != "hit", _of_call(facts, call, made), "nvcc", call.package)


def _of_call(facts: Facts, call: NvccCall, made: Mapping[str, Made]) -> str:
    what = os.path.basename(call.sources[0]) if call.sources else call.kind
    ran = "nvcc ran" if call.code in (0, None) else "nvcc failed"
    match call.verdict:
        case "hit":
            return f"{what}: no input differs, so it was taken from the depfile cache"
        case "miss" | "bypass" if call.why:
            return f"{what}: {ran}; {call.why}"
        case _:
            inputs = call.inputs or (made[call.output].inputs if call.output in made else call.sources)
            edited = [path for path in inputs if facts.is_edit(times(path)[0], int(call.at * 1e9))]
            newest = max(edited, key=lambda path: times(path)[0], default="")
            return f"{what}: {ran}; {tail_of(newest)} has changed" if newest else f"{what}: {ran}"


# ninja


def _ninja(facts: Facts) -> Iterator[Why]:
    """What ninja made in build trees: in its own words, else by its log."""
    said = [explained for log in facts.logs for explained in read_explained(read_head(log, _MAX_LOG) or b"")]
    told = {one.output for one in said}
    yield from (Why(one.output or "ninja", "output", True, one.reason, "ninja") for one in said)
    for tree, package in _trees(facts):
        steps = read_ninja_log(read_small(f"{tree}/.ninja_log", 1 << 26) or b"")
        deps = {**_by_statements(tree), **_by_cmake(tree), **deps_in(tree)}

        def mtime(name: str, tree: str = tree) -> int:
            return times(os.path.join(tree, name))[0]

        for one in reasons_of(steps, deps, lambda name: facts.is_of_it(mtime(name)), mtime):
            if one.output not in told:
                yield Why(os.path.join(tree, one.output), "output", True, one.reason, "ninja", package)


def _by_statements(tree: str) -> dict[str, tuple[str, ...]]:
    """The inputs that stand in `build.ninja`: what libraries and programs are made of stands nowhere else."""
    content = read_small(f"{tree}/build.ninja", _MAX_NINJA) or b""
    steps = read_ninja(content, lambda name: read_small(os.path.join(tree, name), _MAX_NINJA) or b"")
    return {output: step.inputs for step in steps if step.command for output in step.outputs}


def _by_cmake(tree: str) -> dict[str, tuple[str, ...]]:
    """What outputs are made from, as far as CMake told; names below the tree as ninja has them."""
    return {
        os.path.relpath(made.path, tree): tuple(
            os.path.relpath(one, tree) if one.startswith(tree + "/") else one for one in made.inputs
        )
        for made in outputs_by_cmake(tree)
    }  # fmt: skip


def _trees(facts: Facts) -> Iterator[tuple[str, str]]:
    yield from ((tree, "") for tree in facts.trees)
    for case in facts.cases:
        if facts.is_of_it(case.script.began_ns):
            for path in all_files(case.script.out_dir):
                if path.endswith("/.ninja_log"):
                    yield os.path.dirname(path), case.script.package


# make


def _make(facts: Facts) -> Iterator[Why]:
    """What was made in trees of make and by compilers in build scripts, but for what the front before nvcc tells of."""
    known = frozenset(
        path for call in facts.calls if call.makes for path in (call.output, os.path.realpath(call.output))
    )
    moment = Moment(facts.before_ns, facts.is_of_it, facts.ended_ns + TICK_NS, facts.born_ns)
    yield from make_whys(facts.made, moment, known)
    yield from (one for one in left_whys(facts.made, facts.ended_ns) if one.unit not in known)


# What was not rebuilt


def _missed(facts: Facts) -> Iterator[Why]:
    """Outputs that are older than what they are made of, and stayed so in this run."""
    for case in facts.cases:
        left = uncovered(case)
        ran = facts.is_of_it(case.script.began_ns)
        for made in case.made:
            made_at = times(made.output)[0]
            if facts.is_of_it(made_at):
                continue
            newer = [
                path for path in made.inputs
                if 0 < made_at < times(path)[0] <= facts.ended_ns and not _is_only_touched(case, made.output, path)
            ]  # fmt: skip
            if not newer:
                continue
            newest = max(newer, key=lambda path: times(path)[0])
            why = (
                "and no rerun-if-changed covers it" if newest in left
                else "and the build script, which ran, did not make it again" if ran
                else "and the build script did not run"
            )  # fmt: skip
            yield Why(
                made.output, "output", False, f"{tail_of(newest)} has changed, {why}", "times", case.script.package
            )


def _is_only_touched(case: Case, output: str, path: str) -> bool:
    """The output was made of what the file holds now."""
    was = case.seen.at_output(output, times(output)[0], path)
    return bool(was) and was == read_stamp(path).digest


def _idle(facts: Facts) -> Iterator[Why]:
    """Files that were changed since the build before, and that nothing reads."""
    read = {path for unit in facts.units for path in unit.sources}
    read |= {path for case in facts.cases for made in case.made for path in made.inputs}
    scripts = {case.script.script for case in facts.cases}
    idle = [
        path
        for path, mtime in facts.changed.items()
        if facts.is_edit(mtime, facts.began_ns + TICK_NS) and path not in read and path not in scripts
        and os.path.basename(path) not in _ASIDE and not any(case.cover.has(path) for case in facts.cases)
    ]  # fmt: skip
    for path in sorted(idle)[:MAX_FILES]:
        yield Why(path, "file", False, "changed since the build before; no unit that was built reads it", "times")


def _hidden(facts: Facts) -> Iterator[Why]:
    """Edits whose mtime is that of an older file, as far as they were made before the run ended."""
    for path, who in sorted(facts.hidden.items())[:MAX_FILES]:
        if times(path)[1] <= facts.ended_ns:
            reason = f"another content than the build read, and an mtime before it: {who} did not see it"
            yield Why(path, "file", False, f"{reason}; see `cargo deck stale`", "content")


def _unwatched(facts: Facts) -> Iterator[Why]:
    """Inputs of build scripts whose change would make none of them run."""
    for case in facts.cases:
        left = sorted(uncovered(case))
        if left:
            package, names = case.script.package, ", ".join(map(tail_of, left[:3]))
            count = f"{len(left)} input{'' if len(left) == 1 else 's'} that no rerun-if-changed covers"
            more = f" and {len(left) - 3} more" if len(left) > 3 else ""
            yield Why(
                f"{package} (inputs)",
                "input",
                False,
                f"{count}: {names}{more}; see `cargo deck stale`",
                "declared",
                package,
            )
