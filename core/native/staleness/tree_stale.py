"""What is wrong in build trees of ninja, make and CMake: outputs that a newer input does not make again, edits that an
old mtime hides, new sources that no glob sees, caches that were made elsewhere. Nothing is built."""

import fnmatch
import glob
import os
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from core.native.staleness.build_script_mend import unified
from core.native.staleness.closure import SOURCE_ENDS, Made
from core.native.staleness.seen import Digest, Seen
from core.native.staleness.stale import tail_of, times
from core.native.staleness.tree_place import ExecRun, TreePlace, made_by
from core.native.staleness.tree_steps import Tree, inputs_below, makers_in
from core.native.traces.build_tree import all_files, trees_of
from core.native.traces.cmake_cache import cached_value, is_cmake_folder
from core.native.traces.cmake_text import Call, Insertion, calls_in, depending, watching, with_all
from core.plan.given import Origin
from core.plan.plan import Evidence, Finding
from core.plan.small_file import read_small

MAX_EVIDENCE = 12
_MAX_MATCHES = 5000
_HERE = "${CMAKE_CURRENT_SOURCE_DIR}/"
_OWN_FOLDER = re.compile(r"\$\{(?:CMAKE_CURRENT_SOURCE_DIR|CMAKE_CURRENT_LIST_DIR)\}")
_UNCERTAIN = " By the text of the files: no compiler said so."


class TreeMend(NamedTuple):
    """Text to be put into a file."""

    path: str
    before: str
    insertions: tuple[Insertion, ...]

    @property
    def after(self) -> str:
        """The file with it."""
        return with_all(self.before, self.insertions)


class TreeFound(NamedTuple):
    """A finding and what it rests on."""

    finding: Finding
    paths: tuple[str, ...]
    """The files in question, absolute."""
    outputs: tuple[str, ...] = ()
    is_certain: bool = True
    mend: TreeMend | None = None
    """None: no line makes it right."""


def found_in(place: TreePlace, made: Sequence[Made], seen: Callable[[Tree], Seen], digest: Digest) -> list[TreeFound]:
    """All that is wrong, by tree; what one line mends in several of them once.

    Args:
        place: The trees.
        made: What was made in them, of what.
        seen: What is kept of what a tree's outputs were made from.
        digest: Of a file's content.
    """
    found: list[TreeFound] = []
    for tree in place.trees:
        own = made_by(tree, made)
        if (moved := _moved(tree)) is not None:
            found.append(moved)
            continue  # its paths lead elsewhere
        found += _unknown(tree, place.root, own)
        found += _left(tree, place, own, seen(tree), digest)
        found += _unseen(place.root, own, seen(tree), digest)
        found += _new(tree, place.root)
    return list({(one.finding.title, one.finding.mend): one for one in reversed(found)}.values())[::-1]


# A cache of another folder


def _moved(tree: Tree) -> TreeFound | None:
    """CMake configured another folder, or sources that are gone: the tree was copied or moved."""
    if not is_cmake_folder(tree.folder):
        return None
    cache = f"{tree.folder}/CMakeCache.txt"
    made_in = cached_value(tree.folder, "CMAKE_CACHEFILE_DIR")
    source = cached_value(tree.folder, "CMAKE_HOME_DIRECTORY")
    if made_in and os.path.realpath(made_in) != os.path.realpath(tree.folder):
        why = f"made in {made_in}"
    elif source and not os.path.isfile(source + "/CMakeLists.txt"):
        why = f"made for {source}, where no CMakeLists.txt is"
    else:
        return None
    finding = Finding(
        "cmake-cache-stale", "error", f"{tail_of(tree.folder)}: its CMake cache was made for another folder",
        (Evidence(Origin(cache), why),),
        "CMake does not configure it; what is built goes on over there, and nothing here is made anew.",
        f"cargo deck clean --cmake {shlex.quote(tree.folder)}",
    )  # fmt: skip
    return TreeFound(finding, (cache,))


# Inputs that the tree does not know


def _unknown(tree: Tree, root: str, made: Sequence[Made]) -> Iterator[TreeFound]:
    """Outputs with inputs that are read and do not make them again."""
    if tree.kind == "make":
        return  # its rules are not known
    makers = makers_in(tree)
    for one in made:
        known = inputs_below(makers, one.output)
        paths = tuple(path for path in one.inputs if path not in known)
        if paths:
            yield _unknown_found(tree, root, one, paths)


def _unknown_found(tree: Tree, root: str, made: Made, paths: tuple[str, ...]) -> TreeFound:
    is_certain = made.known_by != "text" or paths == (made.source,)
    old = [path for path in paths if times(path)[0] > times(made.output)[0]]
    name, first = os.path.basename(made.output), _short(paths[0], root)
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    mend, words = _dependency(tree, made, paths)
    evidence = [Evidence(Origin(path), _why(made, path, path in old)) for path in paths[:MAX_EVIDENCE]]
    title = f"{name}: an edit to {first}{more} is not rebuilt"
    finding = Finding(
        "input-undeclared", "error" if is_certain else "warning",
        title if not old else f"{name} is older than {_short(old[0], root)}, and no build makes it again",
        tuple(evidence),
        f"The program goes on with the old code, and nothing says so.{'' if is_certain else _UNCERTAIN}",
        unified(mend.before, mend.after, os.path.relpath(mend.path, root)) if mend else words,
    )  # fmt: skip
    return TreeFound(finding, paths, (made.output,), is_certain, mend)


def _why(made: Made, path: str, is_newer: bool) -> str:
    output, source = os.path.basename(made.output), os.path.basename(made.source)
    by = "by its text" if made.known_by == "text" else "as a compiler said"
    read = f"read by {source}, {by}" if path != made.source else "compiled by the command"
    return f"{read}; no input of {output}{f'; newer than {output}' if is_newer else ''}"


def _dependency(tree: Tree, made: Made, paths: Sequence[str]) -> tuple[TreeMend | None, str]:
    """Where `DEPENDS` is to be added, as text to be put there; or the words."""
    name = os.path.basename(made.output)
    for path in _cmake_files(tree):
        text = _text(path)
        fits = [call for call in calls_in(text) if call.name == "add_custom_command" and _makes(call, name)]
        if len(fits) != 1:
            continue
        folder = os.path.dirname(path)
        insertion = depending(fits[0], text, [_said(one, folder) for one in paths])
        if insertion is not None:
            return TreeMend(path, text, (insertion,)), ""
    files = " ".join(shlex.quote(path) for path in paths[:MAX_EVIDENCE])
    if is_cmake_folder(tree.folder):
        return (
            None,
            f"in the add_custom_command that makes {name}: DEPENDS {files}; or, with nvcc -MD -MF {name}.d, DEPFILE",
        )
    return None, f"in the rule of {name}: depfile = $out.d and deps = gcc, with nvcc -MD -MF $out.d"


def _makes(call: Call, name: str) -> bool:
    """Among its outputs is one of that name, said literally."""
    ends = [at for at, word in enumerate(call.texts) if word in ("COMMAND", "DEPENDS", "MAIN_DEPENDENCY")]
    return any(word.rpartition("/")[2] == name for word in call.texts[1 : min(ends, default=len(call.texts))])


def _said(path: str, folder: str) -> str:
    below = os.path.relpath(path, folder)
    return path if below.count("../") > 4 else _HERE + below


# Outputs that make left as they were


def _left(tree: Tree, place: TreePlace, made: Sequence[Made], seen: Seen, digest: Digest) -> Iterator[TreeFound]:
    """Of make, whose rules are not known: outputs older than an input, and a build of all that began after its edit."""
    began = max((run.at for run in place.runs if run.is_good and run.makes_all and _is_in(run, tree)), default=0.0)
    for one in made if tree.kind == "make" else ():
        made_at = times(one.output)[0]
        before = {path: seen.at_output(one.output, made_at, path) for path in one.inputs}
        paths = tuple(path for path in one.inputs if made_at < times(path)[0] < began * 1e9)
        paths = tuple(path for path in paths if not before[path] or digest(path) != before[path])
        if paths:
            yield _left_found(tree, place.root, one, paths, is_certain=all(before[path] for path in paths))


def _left_found(tree: Tree, root: str, made: Made, paths: tuple[str, ...], *, is_certain: bool) -> TreeFound:
    output, *inputs = (os.path.relpath(path, tree.folder) for path in (made.output, *paths))
    why = f"read by {os.path.basename(made.source)}; make ran since its edit"
    unsure = "" if is_certain else " Whether the content differs is not known: nobody saw it before."
    finding = Finding(
        "input-undeclared", "error" if is_certain else "warning",
        f"{os.path.basename(output)} is older than {_short(paths[0], root)}, and make left it so",
        tuple(Evidence(Origin(path), why) for path in paths[:MAX_EVIDENCE]),
        f"The program goes on with the old code, and nothing says so.{unsure}",
        f"in the makefile: {output}: {' '.join(inputs)}\nor nvcc -MD -MF FILE.d, and -include FILE.d",
    )  # fmt: skip
    return TreeFound(finding, paths, (made.output,), is_certain)


def _is_in(run: ExecRun, tree: Tree) -> bool:
    return tree.folder in map(os.path.realpath, trees_of(run.words, run.cwd))


# Edits with an old mtime


def hidden_edits(made: Sequence[Made], seen: Seen, digest: Digest) -> dict[str, list[str]]:
    """Files with another content than an output was made of, and an mtime that is not newer; with those outputs."""
    hidden: dict[str, list[str]] = {}
    for one in made:
        made_at = times(one.output)[0]
        for path in one.inputs:
            before = seen.at_output(one.output, made_at, path)
            mtime, ctime = times(path)
            if before and 0 < mtime <= made_at < ctime and digest(path) not in ("", before):
                hidden.setdefault(path, []).append(one.output)
    return hidden


def _unseen(root: str, made: Sequence[Made], seen: Seen, digest: Digest) -> Iterator[TreeFound]:
    for path, outputs in hidden_edits(made, seen, digest).items():
        names = ", ".join(os.path.basename(one) for one in outputs[:3])
        finding = Finding(
            "edit-unseen", "error",
            f"{_short(path, root)}: its edit is not seen: its mtime is older than {names}",
            (Evidence(Origin(path), f"another content than {names} was made of, and an mtime before it"),),
            "The program goes on with the old code. Tools that keep times do this: cp -p, rsync -t, tar, mv.",
            f"touch {shlex.quote(path)}",
        )  # fmt: skip
        yield TreeFound(finding, (path,), tuple(outputs))


# Sources that no glob sees


def _new(tree: Tree, root: str) -> Iterator[TreeFound]:
    """Sources that a `file(GLOB …)` would find, had it looked again."""
    configured = max(times(f"{tree.folder}/{name}")[0] for name in ("build.ninja", "CMakeFiles/Makefile.cmake"))
    known = frozenset(path for step in tree.steps for path in step.inputs)
    for path in _cmake_files(tree):
        text = _text(path)
        for call in calls_in(text) if "GLOB" in text else ():
            insertion = watching(call)
            matches = _matches(call, os.path.dirname(path), root) if insertion is not None else ()
            new = tuple(one for one in matches if one not in known and times(one)[1] > configured)
            if insertion is not None and new and any(one in known for one in matches):
                yield _new_found(path, text, call, insertion, new, root)


def _new_found(
    path: str, text: str, call: Call, insertion: Insertion, new: tuple[str, ...], root: str
) -> TreeFound:  # fmt: skip
    mend = TreeMend(path, text, (insertion,))
    more = f" and {len(new) - 1} more" if len(new) > 1 else ""
    finding = Finding(
        "new-file-unseen", "warning",
        f"{_short(new[0], root)}{more} is new, and no build compiles it",
        (Evidence(Origin(path, call.line), f"file({' '.join(call.texts)[:200]}): looks only when CMake runs"),
         *(Evidence(Origin(one), "came after CMake ran; its siblings are compiled") for one in new[:MAX_EVIDENCE])),
        "It is compiled only once CMake runs again.",
        unified(text, mend.after, os.path.relpath(path, root)),
    )  # fmt: skip
    return TreeFound(finding, new, (), True, mend)


def _matches(call: Call, folder: str, root: str) -> tuple[str, ...]:
    """Native sources that a glob finds now; none where it has variables that are not known."""
    found: dict[str, None] = {}
    is_deep = call.texts[0] == "GLOB_RECURSE"
    for word in _patterns(call.texts[2:]):
        if "$" in _OWN_FOLDER.sub("", word):
            continue
        pattern = os.path.normpath(os.path.join(folder, _OWN_FOLDER.sub(lambda _: folder, word)))
        if not f"{pattern}/".startswith(root + "/"):
            continue
        matches = _below(*os.path.split(pattern)) if is_deep else _in_folders(pattern, folder, root)
        found.update(dict.fromkeys(path for path in islice(matches, _MAX_MATCHES) if _is_native(path)))
    return tuple(found)


def _in_folders(pattern: str, *literal: str) -> Iterator[str]:
    """What matches; the first of the literal folders that it is below is no pattern, whatever its name."""
    base = next((folder for folder in literal if pattern.startswith(folder + "/")), "")
    return glob.iglob(glob.escape(base) + pattern[len(base) :])


def _below(folder: str, pattern: str) -> Iterator[str]:
    """As CMake, that does not follow links to folders."""
    return (path for path in all_files(folder) if fnmatch.fnmatchcase(os.path.basename(path), pattern))


def _is_native(path: str) -> bool:
    return path.endswith(SOURCE_ENDS) and os.path.isfile(path)


def _patterns(words: Sequence[str]) -> Iterator[str]:
    is_value = False
    for word in words:
        if not is_value and word not in ("RELATIVE", "LIST_DIRECTORIES", "CONFIGURE_DEPENDS"):
            yield word
        is_value = not is_value and word in ("RELATIVE", "LIST_DIRECTORIES")


def _cmake_files(tree: Tree) -> Iterator[str]:
    """The project's own that CMake read, in which names start from their own folder."""
    source = cached_value(tree.folder, "CMAKE_HOME_DIRECTORY")
    for path in tree.cmake_files:
        is_made = path.startswith(tree.folder + "/") and tree.folder != source
        if source and path.startswith(source + "/") and not is_made and path.endswith("/CMakeLists.txt"):
            yield path


def _text(path: str) -> str:
    return (read_small(path) or b"").decode("utf-8", "surrogateescape")


def _short(path: str, root: str) -> str:
    return os.path.relpath(path, root) if path.startswith(root + "/") else tail_of(path)
