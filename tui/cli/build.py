"""`cargo deck build …` and `exec`: the start-up hot path, from a command line to a followed or detached run."""

import os
import sys

from core.errors import DeckError, UsageError
from core.parsers.projection import Projection
from core.paths import Paths, find_paths
from core.run import begin, cache, compose, follow, grammar, handoff, identity, owner
from core.run.decided import WITHOUT_MODE

_PLAIN_WORDS = frozenset(("-h", "--help", "-V", "--version", "--list", "--explain"))
_NEEDS = {"--agent": "a name, for example --agent claude-1", "--cache": "a kind: none or sccache",
          "--mode": "a name, for example --mode dev; `cargo deck plan --modes` lists them"}  # fmt: skip
"""Options of ours that take a value."""
_FLAGS = ("--detach", "--brief")
OWN_OPTIONS = (*_NEEDS, *_FLAGS)
_MANY_OPEN = 16
"""So many runs that no journal has closed yet: an engine is started for them, however short they are."""
EXIT_USAGE = 2
EXIT_OURS = 125


def main(argv: list[str]) -> int:
    """Run a build subcommand, an alias, an external or `exec`; the build's own exit code."""
    try:
        words, own = split_own(argv)
    except UsageError as error:
        return _say(str(error), EXIT_USAGE)
    return _run(words, own)


def main_shim(argv: list[str]) -> int:
    """The same for the shim: every word is cargo's."""
    return _run(tuple(argv), {})


def split_own(argv: list[str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Take `--agent NAME`, `--cache KIND`, `--mode NAME`, `--detach`, `--brief` out of the words before `--`."""
    words: list[str] = []
    own: dict[str, str] = {}
    i = 0
    while i < len(argv) and argv[i] != "--":
        word = argv[i]
        name, equals, value = word.partition("=")
        if name not in _NEEDS and word not in _FLAGS:
            words.append(word)
        elif _takes_all(words):
            break
        elif word in _FLAGS:
            own[word[2:]] = "yes"
        else:
            if not equals:
                i += 1
                if i >= len(argv):
                    raise UsageError(f"{name} needs {_NEEDS[name]}")
                value = argv[i]
            own[name[2:]] = value
        i += 1
    return (*words, *argv[i:]), own


def _takes_all(words: list[str]) -> bool:
    """What follows these words is not ours: they name the command of `exec`, a program's first word after `run`, or an
    external that we know nothing of."""
    if words[:1] == ["exec"]:
        return any(not word.startswith("-") for word in words[1:])
    parsed = grammar.parse((*words, "--no-such-option"))
    if parsed.command is not None:
        return parsed.is_known  # nobody but a program takes that
    at = grammar.split_globals(tuple(words))
    if at >= len(words) or any(words[at] in names for names in (grammar.COMMANDS, grammar.ALIASES, grammar.FOREIGN)):
        return False
    try:
        return words[at] not in begin.parse_cargo(tuple(words), os.getcwd(), dict(os.environ))[1].aliases
    except OSError:  # we stand in a folder that is gone
        return True


def _run(words: tuple[str, ...], own: dict[str, str]) -> int:
    env = dict(os.environ)
    if "cache" in own:
        if own["cache"] not in cache.KINDS:
            return _say(f"--cache is one of {', '.join(cache.KINDS)}, not {own['cache']!r}", EXIT_USAGE)
        env[cache.KIND] = own["cache"]
    _open_stdio()
    tool = "exec" if words[:1] == ("exec",) else "cargo"
    if tool == "exec" and "mode" in own:
        return _say("--mode is for builds of cargo: nothing is set for what exec starts", EXIT_USAGE)
    if tool == "exec":
        words = words[1:]
        words = words[1:] if words[:1] == ("--",) else words
    if env.get("DECK_RUN") or (tool == "cargo" and _is_plain(words)):
        return _plain(tool, words, env, own)
    try:
        cwd = os.getcwd()
        agent = identity.find_agent(own.get("agent"), env, cwd)
        if agent.warning:
            _say(agent.warning, 0)
        caller = compose.NOBODY if "detach" in own or "brief" in own else _caller()
        if tool == "cargo" and caller.has_terminal and not begin.is_recordable(words, cwd, env):
            return _plain(tool, words, env, own)
        request = begin.Request(
            tool, words, agent, cwd, env, caller, is_owned="detach" not in own, mode=own.get("mode")
        )
        paths = find_paths(env)
        if "brief" in own:  # slow to import: before there is a build to own
            from tui.cli.brief import follow_brief
        begun = begin.begin(paths, request)
    except UsageError as error:
        return _say(str(error), 127 if "PATH" in str(error) else EXIT_USAGE)
    except Exception as error:  # whatever fails of ours: the build must not
        if "detach" in own:
            return _say(str(error), EXIT_OURS)
        _say(f"not recorded: {error}", 0)
        return _plain(tool, words, env, own)
    for notice in begun.notices:
        _say(notice, 0)
    if "detach" in own:
        _wake_engine(paths)
        os.write(1, begun.started.run.encode() + b"\n")
        return 0
    if "brief" in own:
        return follow_brief(begun, wake_engine=lambda: _wake_engine(paths))
    return _follow(paths, begun)


def _is_plain(words: tuple[str, ...]) -> bool:
    """Nothing is built: help, version, or a subcommand that is not worth a pane."""
    at = grammar.split_globals(words)
    if at >= len(words) or words[at] in grammar.FOREIGN:
        return True
    end = words.index("--") if "--" in words else len(words)
    return any(word in _PLAIN_WORDS for word in words[:end])


def _plain(tool: str, words: tuple[str, ...], env: dict[str, str], own: dict[str, str]) -> int:
    """Become the plain command."""
    if "mode" in own:
        _say(WITHOUT_MODE.format(own["mode"][:60]), 0)
    program = begin.find_cargo(env) if tool == "cargo" else (words[0] if words else None)
    if program is None:
        return _say("cargo was not found on PATH: install Rust (https://rustup.rs)", 127)
    handoff.restore_signals()
    argv = ("cargo", *words) if tool == "cargo" else words
    try:
        os.execvpe(program, argv, env)
    except OSError as error:
        return _say(f"could not execute {program}: {error.strerror}", 127)


def _open_stdio() -> None:
    """Standard streams that the caller closed become /dev/null: else our own files would get their numbers."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open("/dev/null", os.O_RDWR)


def _caller() -> compose.Caller:
    out, err = os.fstat(1), os.fstat(2)
    err_tty = os.isatty(2)
    same = (out.st_dev, out.st_ino, out.st_rdev) == (err.st_dev, err.st_ino, err.st_rdev)
    columns = os.get_terminal_size(2).columns if err_tty else 0
    return compose.Caller(os.isatty(1), err_tty, same, columns)


def _follow(paths: Paths, begun: begin.Begun) -> int:
    composed, started = begun.composed, begun.started
    one = not os.path.exists(started.folder + "/err.log")
    cut_json = composed.json == "ours"
    out = Projection(
        cut_json=cut_json,
        cut_progress=composed.cut_progress and one,
        cut_color_args=composed.cut_own_args and one,
    )
    views = [follow.View(started.folder + "/out.log", 1, out)]
    if not one:
        err = Projection(cut_json=False, cut_progress=composed.cut_progress, cut_color_args=composed.cut_own_args)
        views.append(follow.View(started.folder + "/err.log", 2, err))
    follower = follow.Follower(
        started,
        tuple(views),
        stops_when_closed=begun.stops_when_closed,
        wake_engine=lambda: _wake_engine(paths),
    )
    ending = follower.run()
    if len(os.listdir(paths.open)) > _MANY_OPEN:
        _wake_engine(paths)
    os._exit(_finish(begun, ending))  # the interpreter's own end would cost 5 ms


def _finish(begun: begin.Begun, ending: owner.Ending) -> int:
    if not ending.record:
        log = begun.started.folder + "/out.log"
        return _say(f"the supervisor of this build died: how it ended is unknown. Its log: {log}", EXIT_OURS)
    if begun.target.source == "private" and ending.code == 0 and begun.target.path:
        _say(f"the binaries are in {begun.target.path} ({begun.target.reason})", 0)
    if ending.signal is not None:
        owner.die_of(ending.signal)
    if begun.handoff_fd is not None and ending.code == 0:
        taken = handoff.read_handoff(begun.handoff_fd)
        if taken is not None:
            return handoff.become(taken)
    return ending.code if ending.code is not None else EXIT_OURS


def _wake_engine(paths: Paths) -> None:
    try:
        from core.client import ensure_engine

        ensure_engine(paths)
    except (DeckError, OSError, ImportError):
        pass  # the build does not need it; the next command will try again


def _say(text: str, code: int) -> int:
    try:
        os.write(2, f"cargo-deck: {text}\n".encode("utf-8", "backslashreplace"))
    except OSError:
        pass
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
