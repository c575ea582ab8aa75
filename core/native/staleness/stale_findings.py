"""What is wrong with build scripts as findings, with the lines to add as a diff and what makes it right at once."""

import glob
import os
import shlex
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from core.folder import topmost
from core.native.staleness.build_script_mend import changed, printed, unified
from core.native.staleness.cover import Watched
from core.native.staleness.stale import Case, Kind, Trouble, is_in, is_pattern, tail_of, uncovered
from core.plan.given import Origin
from core.plan.plan import Evidence, Finding
from core.run.identity import git_root

IDS: dict[Kind, str] = {
    "undeclared": "input-undeclared",
    "missing": "declared-missing",
    "loop": "watched-output",
    "skipped": "nvcc-skipped",
    "unseen": "edit-unseen",
    "new": "new-file-unseen",
}
MAX_EVIDENCE = 12
MAX_LINES = 200
"""So many are added to a script at most."""
_MANY = 4
"""Files of one folder for which the folder is declared instead."""


class Mend(NamedTuple):
    """A build script as it should be."""

    path: str
    before: str
    after: str
    diff: str
    add: tuple[str, ...] = ()
    """Paths that it declares too."""
    remove: tuple[str, ...] = ()
    """Paths that it declares no more."""


class Found(NamedTuple):
    """A finding and what it rests on."""

    finding: Finding
    trouble: Trouble
    mend: Mend | None = None
    """None: no line of the script makes it right."""
    lines: tuple[str, ...] = ()
    """Paths to declare."""
    each: tuple[Trouble, ...] = ()
    """What `trouble` has together, of each profile, the latest first."""


Concern = tuple[Case, Trouble]
"""A trouble with a build script as it ran in one profile."""


def found_of(concerns: Sequence[Concern], base: str, named: Sequence[str] = ()) -> Found:
    """The finding of a trouble.

    Args:
        concerns: The same kind with the same script, of each profile in which it is there.
        base: Folder that the diff's names start from: the workspace; of a script outside of it, its repository.
        named: Profiles to name: where it is not so in all of them.
    """
    concerns = sorted(concerns, key=lambda one: -one[0].script.began_ns)
    case, trouble = concerns[0][0], _whole([one for _, one in concerns])
    lines = [_lines(*one) for one in concerns]
    remove = tuple(dict.fromkeys(path for _, paths in lines for path in paths))
    add = _outer([path for paths, _ in lines for path in paths])
    is_said = bool(add) and not remove and set(add) <= {one.path for one in printed(case.text) if one.is_plain}
    mend = _mend(case, base, add, remove) if add or remove else None
    finding = Finding(
        id=IDS[trouble.kind],
        severity=_severity(trouble),
        title=_title(trouble, named),
        evidence=tuple(_evidence(case, trouble))[:MAX_EVIDENCE],
        cost="The script declares it by now: it is right after the next build." if is_said else _cost(trouble),
        mend=mend.diff if mend else "\n".join(_commands(trouble, [one for _, one in concerns])),
    )
    return Found(finding, trouble, mend, add, tuple(one for _, one in concerns))


def _whole(each: Sequence[Trouble]) -> Trouble:
    """Of several profiles as one: all files and outputs, and the script as it ran in the first."""
    why = {path: text for one in reversed(each) for path, text in zip(one.paths, one.why, strict=True)}
    paths = tuple(dict.fromkeys(path for one in each for path in one.paths))
    return each[0]._replace(
        paths=paths, why=tuple(why[path] for path in paths), is_certain=any(one.is_certain for one in each),
        outputs=tuple(dict.fromkeys(path for one in each for path in one.outputs)),
    )  # fmt: skip


def _outer(paths: Sequence[str]) -> tuple[str, ...]:
    """Each once, without those in others."""
    outer = set(topmost(paths))
    return tuple(one for one in dict.fromkeys(paths) if one in outer)


def _severity(trouble: Trouble) -> str:
    if trouble.kind in ("undeclared", "skipped", "unseen"):
        return "error" if trouble.is_certain else "warning"
    return "warning"


def _title(trouble: Trouble, named: Sequence[str]) -> str:
    package, count = trouble.script.package + (f" ({', '.join(named)})" if named else ""), len(trouble.paths)
    one = _short(trouble.paths[0], trouble.script.root)
    more = f" and {count - 1} more" if count > 1 else ""
    match trouble.kind:
        case "undeclared":
            return f"{package}: an edit to {one}{more} is not rebuilt"
        case "missing":
            return f"{package}: {one}{more} is declared and not there: its build script runs at each build"
        case "loop":
            return f"{package}: its build script writes {one}{more}, and watches it: it runs at each build"
        case "skipped":
            made = ", ".join(os.path.basename(path) for path in trouble.outputs[:2])
            return f"{package}: its build script ran after an edit to {one}{more}, but did not make {made} again"
        case "unseen":
            return f"{package}: cargo does not see the edit to {one}{more}: its mtime is older than the build"
        case "new":
            return f"{package}: {one}{more} is new, and no build script is run for it"
        case _:
            raise TypeError(trouble.kind)


def _cost(trouble: Trouble) -> str:
    script = trouble.script
    took = f"{(script.ended_ns - script.began_ns) / 1e9:.1f} s"
    match trouble.kind:
        case "undeclared":
            sure = "" if trouble.is_certain else " By the text of the files: no compiler said so."
            return f"The program goes on with the old code, and nothing says so.{sure}"
        case "missing" | "loop":
            return f"Each build runs it again ({took} the last time), and compiles its crate and what depends on it."
        case "skipped":
            sure = "" if trouble.is_certain else " Whether the content differs is not known: nobody saw it before."
            return f"The program goes on with the old code: the script compares less than it compiles.{sure}"
        case "unseen":
            return "The program goes on with the old code. Tools that keep times do this: cp -p, rsync -t, tar, mv."
        case "new":
            return "It is compiled only once something else makes the build script run."
        case _:
            raise TypeError(trouble.kind)


def _evidence(case: Case, trouble: Trouble) -> Iterator[Evidence]:
    script = trouble.script
    there = {one.path: one.line for one in printed(case.text)}
    if trouble.kind == "missing":
        lines = {one.path: one.line for one in script.directives.changed}
        for path, why in zip(trouble.paths, trouble.why, strict=True):
            origin = Origin(script.script, there[path]) if path in there else Origin(script.output, lines.get(path, 0))
            yield Evidence(origin, f"cargo:rerun-if-changed={path}; {why}")
        return
    if trouble.kind in ("undeclared", "new"):
        line = max((there[one.path] for one in script.directives.changed if one.path in there), default=0)
        yield Evidence(Origin(script.script, line) if line else Origin(script.output), _declared(case))
    yield from (Evidence(Origin(path), why) for path, why in zip(trouble.paths, trouble.why, strict=True))


def _declared(case: Case) -> str:
    own = [one.path for one in case.script.directives.changed]
    if case.cover.style == "package":
        return "no rerun-if-changed: cargo looks at the files of the package"
    if case.cover.style == "variables":
        return f"no file, only variables: {', '.join(case.script.directives.env[:4])}"
    return f"rerun-if-changed of {', '.join(own[:4])}{f' and {len(own) - 4} more' if len(own) > 4 else ''}"


# What to declare


def _lines(case: Case, trouble: Trouble) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Paths to declare, and to declare no more."""
    match trouble.kind:
        case "undeclared":
            return _of_inputs(case, trouble.paths), ()
        case "new":
            folders = tuple(dict.fromkeys(os.path.dirname(path) for path in trouble.paths))
            return tuple(_said(case, one) for one in folders if _is_free(case, one)), ()
        case "missing":
            watched = [one for one in case.cover.missing if one.declared in trouble.paths]
            add = tuple(dict.fromkeys(path for one in watched for path in _instead(case, one)))
            return _with_inputs(case, add), trouble.paths
        case "loop":
            add, remove = _without_loops(case, trouble)
            return (_with_inputs(case, add), remove) if remove else ((), ())
        case _:
            return (), ()


def _with_inputs(case: Case, add: tuple[str, ...]) -> tuple[str, ...]:
    """And inputs that neither these paths nor what is declared cover."""
    told = [os.path.normpath(os.path.join(case.script.root, one)) for one in add]
    left = [path for path in uncovered(case) if not any(f"{path}/".startswith(one + "/") for one in told)]
    return tuple(dict.fromkeys((*add, *(_said(case, path) for path in _grouped(case, left)))))[:MAX_LINES]


def _of_inputs(case: Case, paths: Sequence[str]) -> tuple[str, ...]:
    lines = [_said(case, path) for path in _grouped(case, paths)]
    if case.cover.style == "package":
        # The first directive ends cargo's own look at the package: what it saw is declared with it.
        root = os.path.realpath(case.script.root) + "/"
        inside = sorted({path.removeprefix(root).partition("/")[0] for path in case.cover.listed or ()})
        lines = [
            *(one for one in inside if one not in ("Cargo.lock", "Cargo.toml.orig", ".cargo_vcs_info.json")),
            *lines,
        ]
    return tuple(dict.fromkeys(line for line in lines if line))[:MAX_LINES]


def _grouped(case: Case, paths: Sequence[str]) -> list[str]:
    """The files, or the folders that many of them are in."""
    folders: dict[str, list[str]] = {}
    for path in paths:
        folders.setdefault(os.path.dirname(path), []).append(path)
    kept: list[str] = []
    for folder, files in folders.items():
        kept += [folder] if len(files) >= _MANY and _is_free(case, folder) else files
    return list(_outer(kept))


def _is_free(case: Case, folder: str) -> bool:
    """It may be watched as a whole: neither the package nor what builds make is in it."""
    inside = (case.script.root, case.build_dir, case.script.out_dir)
    return os.path.isdir(folder) and not any(f"{one}/".startswith(folder.rstrip("/") + "/") for one in inside if one)


def _said(case: Case, path: str) -> str:
    """As cargo is to be told it: from the package, unless only the root of the system is above both."""
    root = case.script.root
    common = os.path.commonpath((root, path))
    if common == "/" or root[len(common) :].count("/") > 4:
        return path
    return os.path.relpath(path, root)


def _instead(case: Case, watched: Watched) -> Iterator[str]:
    """What is meant by a path that is not there."""
    if not is_pattern(watched):
        return
    folder = watched.path
    while any(char in folder for char in "*?["):
        folder = os.path.dirname(folder)
    if _is_free(case, folder):
        yield _said(case, folder)
        return
    try:
        files = sorted(glob.glob(watched.path, recursive=True))[:MAX_LINES]
    except (OSError, ValueError, RecursionError):
        return
    yield from (_said(case, path) for path in files if not path.startswith(case.build_dir + "/"))


def _without_loops(case: Case, trouble: Trouble) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Of folders with outputs in them the inputs alone; without what the script writes itself."""
    add: dict[str, None] = {}
    remove: list[str] = []
    inputs = [path for made in case.made for path in made.inputs]
    for watched in case.cover.own:
        if watched.kind == "file" and watched.path in trouble.paths:
            remove.append(watched.declared)
        elif watched.kind == "folder" and any(is_in(path, watched) for path in trouble.paths):
            within = [path for path in inputs if is_in(path, watched)]
            if not within:
                return (), ()
            add.update(dict.fromkeys(_said(case, path) for path in within))
            remove.append(watched.declared)
    return tuple(add), tuple(remove)


def _mend(case: Case, base: str, add: tuple[str, ...], remove: tuple[str, ...]) -> Mend | None:
    if not case.text:
        return None
    after = changed(case.text, add, remove)
    if after is None or after == case.text:
        return None
    path = case.script.script
    top = base if path.startswith(base.rstrip("/") + "/") else git_root(os.path.dirname(path)) or "/"
    name = os.path.relpath(path, top)
    return Mend(path, case.text, after, unified(case.text, after, name), add, remove)


def _commands(trouble: Trouble, each: Sequence[Trouble]) -> Sequence[str]:
    """What makes it right now, where no line of the script does."""
    match trouble.kind:
        case "skipped":
            return [clean_of(one) for one in each]
        case "unseen":
            return [f"touch {shlex.join(trouble.paths[:20])}"]
        case _:
            return ()


def clean_of(trouble: Trouble) -> str:
    """The command that removes what was made in that profile."""
    return f"cargo clean -p {shlex.quote(trouble.script.package)}{_profile_words(trouble.script.profile)}"


def _profile_words(profile: str) -> str:
    """For cargo: `debug` is of `dev`, `x86_64-unknown-linux-gnu/release` of a target too."""
    target, _, name = profile.rpartition("/")
    words = {"debug": "", "release": " --release"}.get(name, f" --profile {shlex.quote(name)}")
    return f"{words} --target {shlex.quote(target)}" if target else words


def _short(path: str, root: str) -> str:
    return os.path.relpath(path, root) if path.startswith(root + "/") else tail_of(path)
