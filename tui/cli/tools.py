"""`cargo deck tools`: what there is to build with, what would help, what is known to fail; and how to get a tool."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from core.errors import UsageError
from core.paths import Paths
from core.plan.found import Found
from core.plan.install import MANAGERS, NAMES, Install, Kit, how_to
from core.plan.refused import forget_refusals
from core.plan.small_file import read_small
from core.plan.tool_advice import Told, of_toolchain, tell
from core.plan.toolchain_names import command_for
from tui import format as f
from tui.cli import common
from tui.cli.events import plain
from tui.cli.plan_record import toolchain_record
from tui.cli.plan_words import COLUMNS, folded

_OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")
_VERBS = ("install", "update", "retry")
EXIT_NO_WAY = 1


class World(NamedTuple):
    """What the command looks at, and how it acts on it."""

    look: Callable[[Paths, Mapping[str, str]], Found]
    run: Callable[[Sequence[str]], int]
    """Runs a command in this terminal; its exit code."""
    ask: Callable[[str], bool] | None
    """Asks the person; None: nobody is there to ask."""
    env: Mapping[str, str]
    os_release: str = ""
    """Text of /etc/os-release."""
    is_root: bool = False


def main(argv: list[str]) -> int:
    """Show tools, or get one; exit code: 1 where nothing can get it, else that of the package manager."""
    return common.guarded(lambda words: run(words, _world()), argv)


def run(argv: list[str], world: World) -> int:
    """The same in a given world.

    Raises:
        UsageError: The command line cannot be used, or names no tool.
    """
    parser = common.make_parser("tools", "What there is to build with, what would help, and which versions are known "
                                "to fail; or the package manager's command that gets a tool.")  # fmt: skip
    parser.add_argument("verb", nargs="?", choices=_VERBS, metavar="install|update|retry",
                        help="show the package manager's own command and, on yes, run it; retry: let modes use a "
                        "linker again that failed a link")  # fmt: skip
    parser.add_argument("name", nargs="?", metavar="NAME", help="a tool, a toolchain (nightly) or a target triple")
    parser.add_argument("--yes", action="store_true", help="run it without a question")
    given = parser.parse_args(argv)
    if given.verb is not None and given.name is None:
        raise UsageError(_nameless(given.verb, world))
    if given.verb == "retry":
        return _retry(given.name)
    if given.yes and given.verb is None:
        raise UsageError("--yes goes with install and update")
    if given.yes and given.json:
        raise UsageError("--json shows the commands, --yes runs them: one of both")
    found = world.look(common.user_paths(), world.env)
    if given.verb is not None:
        return _get(given, found, world)
    told = tell(found)
    if given.json:
        common.print_json("tools", toolchain=toolchain_record(found.toolchain), limits=list(of_toolchain(found)),
                          tools=[_record(one) for one in told])  # fmt: skip
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else COLUMNS
        for line in lines(told, found, width, is_lit=common.has_colour()):
            common.print_text(line)
    return 0


# Looking


def lines(told: tuple[Told, ...], found: Found, width: int, *, is_lit: bool = False) -> Iterator[str]:
    """Tools that are there, that do not run, and that are missing; what is known of their versions below each."""
    yield from _toolchain(found, width)
    there = [one for one in told if one.state == "there"]
    broken = [one for one in told if one.state == "unusable"]
    wanted = [one for one in told if one.state == "missing" and one.gain]
    others = [one.tool.name for one in told if one.state == "missing" and not one.gain]
    sizes = [max((f.cell_len(plain(cell)) for cell in column), default=0) for column in zip(
        *((one.tool.name, one.tool.shown or f.UNKNOWN) for one in told), strict=True)]  # fmt: skip
    yield from _part("There", there, sizes, width, is_lit)
    yield from _part("There, but not usable", broken, sizes, width, is_lit)
    if wanted:
        yield from ("", _lit("Not there", is_lit))
        for one in wanted:
            yield from folded(f"  {f.fit(one.tool.name, sizes[0])}  {plain(one.use)}: {plain(one.gain)}", width, hang=6)
    if others:
        yield ""
        yield from folded(f"Nor: {', '.join(map(plain, others))}", width, hang=2)
    yield ""
    yield from folded("`cargo deck tools install NAME` shows the command that gets one.", width)


def _toolchain(found: Found, width: int) -> Iterator[str]:
    chain = found.toolchain
    version = ".".join(map(str, chain.rustc))
    by = f", chosen by {chain.chosen_by.shown}" if chain.chosen_by.place else ""
    name = f" ({chain.name}{by})" if chain.name else ""
    if chain.is_coming:
        told = f"The toolchain {chain.name}{by} is not installed: rustup will install it before the next build"
    elif not chain.name and not chain.is_installed:
        told = "No rustc is on PATH: install Rust (https://rustup.rs), or add ~/.cargo/bin to PATH"
    elif not chain.is_installed:
        how = command_for(chain.name)
        told = f"The toolchain {chain.name}{by} is not installed{f': {how}' if how else ''}"
    else:
        told = f"rustc {version or '–'}{name}"
    yield from folded(plain(told), width, hang=2)
    for why in of_toolchain(found):
        yield from folded(f"· {plain(why)}", width, 6, hang=8)


def _part(title: str, told: list[Told], sizes: Sequence[int], width: int, is_lit: bool) -> Iterator[str]:
    if not told:
        return
    yield from ("", _lit(title, is_lit))
    for one in told:
        tool = one.tool
        cells = (f.fit(plain(tool.name), sizes[0]), f.fit(plain(tool.shown) or f.UNKNOWN, sizes[1]), plain(tool.path))
        yield "  " + "  ".join(cells)
        if one.use:
            yield from folded(plain(one.use), width, 6)
        if tool.trouble:
            yield from folded(f"✗ {plain(tool.trouble)}", width, 6, hang=8)
        for sign, sentences in (("!", one.wrong), ("·", one.limits)):
            for why in sentences:
                yield from folded(f"{sign} {plain(why)}", width, 6, hang=8)


def _lit(text: str, is_lit: bool) -> str:
    return f"\x1b[1m{text}\x1b[m" if is_lit else text


def _record(one: Told) -> dict[str, Any]:
    tool = one.tool
    return {
        "tool": tool.name, "state": one.state, "path": tool.path or None, "version": tool.shown or None,
        "kind": tool.kind or None, "use": one.use or None, "gain": one.gain or None, "trouble": tool.trouble or None,
        "wrong": list(one.wrong), "limits": list(one.limits),
    }  # fmt: skip


# Getting


def _retry(name: str) -> int:
    """Let modes use a linker again; 1 where it was refused nowhere."""
    count = forget_refusals(common.user_paths(), name)
    if not count:
        common.say(f"{plain(name)} is refused nowhere")
        return EXIT_NO_WAY
    common.print_text(f"{plain(name)} is tried again: it was refused for {f.many(count, 'workspace')}")
    return 0


def _nameless(verb: str, world: World) -> str:
    """That a name is needed, and which ones would be of use here."""
    if verb == "retry":
        return "retry needs the name of a linker: cargo deck tools retry mold"
    found = world.look(common.user_paths(), world.env)
    told = [one for one in tell(found) if one.tool.name in NAMES]
    if verb == "install":
        useful = [one.tool.name for one in told if one.state == "unusable" or (one.state == "missing" and one.gain)]
    else:
        useful = [one.tool.name for one in told if one.state == "there"]
    example = f"; here for example {', '.join(useful)}" if useful else ""
    return f"{verb} needs a name: a tool, a toolchain or a target triple{example}"


def _get(given: Any, found: Found, world: World) -> int:
    way = how_to(given.name, _kit(found, world), verb=given.verb, is_sure=given.yes)
    tool = found.tools.get(way.name)
    is_there = given.verb == "install" and tool is not None and bool(tool.path) and not tool.trouble
    if is_there and tool is not None:
        shown = f"{tool.path}, {tool.shown}" if tool.shown else tool.path
        update = f"`cargo deck tools update {way.name}` shows the command that renews it"
        way = way._replace(commands=(), source="", note=f"{way.name} is there already ({shown}): {update}")
    if given.json:
        common.print_json("tools-install", **_way_record(way))
        return 0 if way.commands or is_there else EXIT_NO_WAY
    for command in way.commands:
        common.print_text(shlex.join(command))
    for text in filter(None, (way.source, way.note)):
        common.say(plain(text))
    if not way.commands:
        return 0 if is_there else EXIT_NO_WAY
    if not given.yes and (world.ask is None or not world.ask("Run it? [y/N] ")):
        return 0
    return _run_all(way, world)


def _run_all(way: Install, world: World) -> int:
    """One command after the other until one fails; its exit code."""
    for command in way.commands:
        try:
            code = world.run(command)
        except OSError as error:
            common.say(f"could not run {command[0]}: {error.strerror}")
            return 127
        if code:
            return code if code > 0 else 128 - code
    return 0


def _way_record(way: Install) -> dict[str, Any]:
    return {
        "tool": way.name, "verb": way.verb, "commands": [list(command) for command in way.commands],
        "source": way.source or None, "note": way.note or None,
    }  # fmt: skip


def _kit(found: Found, world: World) -> Kit:
    path = world.env.get("PATH", "")
    programs = frozenset(name for name in MANAGERS if shutil.which(name, path=path))
    return Kit(
        programs=programs,
        system=("darwin",) if found.machine.system == "darwin" else systems_of(world.os_release),
        is_root=world.is_root,
        toolchain=found.toolchain.name,
        paths={name: tool.path for name, tool in found.tools.items() if tool.path},
    )


def systems_of(os_release: str) -> tuple[str, ...]:
    """`ID` and `ID_LIKE` of os-release(5): `ID=ubuntu`, `ID_LIKE="rhel fedora"`."""
    said: dict[str, str] = {}
    for line in os_release.splitlines()[:200]:
        name, _, value = line.strip().partition("=")
        said[name] = value.strip("\"'")
    return tuple(f"{said.get('ID', '')} {said.get('ID_LIKE', '')}".lower().split())


# The world as it is


def _world() -> World:
    has_person = sys.stdin.isatty() and sys.stderr.isatty()
    texts = (read_small(path) for path in _OS_RELEASE)
    text = next((found for found in texts if found is not None), b"")
    return World(
        look_around, lambda command: subprocess.call(command), _ask if has_person else None, dict(os.environ),
        text.decode("utf-8", "replace"), os.geteuid() == 0,
    )  # fmt: skip


def _ask(question: str) -> bool:
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def look_around(paths: Paths, env: Mapping[str, str]) -> Found:
    """What is there for a build in this folder; programs are asked what they are."""
    from core.plan.look import look
    from core.run import begin

    cwd = common.current_folder()
    command = begin.command_of(paths, ("build",), cwd, dict(env))
    return look(
        paths, cwd=cwd, env=env, root=command.root, toolchain_word="", target="",
        settings=command.config.settings, may_ask=True,
    )  # fmt: skip
