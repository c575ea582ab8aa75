"""From a request to a running build: the one way in for callers, `run-all`, dashboard and engine."""

import os
from typing import NamedTuple

from core.errors import SpawnError, UsageError
from core.launch import Launch
from core.paths import Paths, find_paths
from core.plan.settings import with_manifest
from core.run import cache, compose, config, fronts, grammar, handoff, harness, identity, nvcc_cache, spawn, target
from core.run.command import Command, is_installed
from core.run.decided import Decided, brief_record, decide_run, own_target

SHIM_MARK = b"# cargo-deck shim"


class Request(NamedTuple):
    """What somebody wants to run."""

    tool: str
    """`cargo` or `exec`."""
    words: tuple[str, ...]
    """What was typed after `cargo`, or the command of `exec`."""
    agent: identity.Agent
    cwd: str
    env: dict[str, str]
    caller: compose.Caller
    is_owned: bool
    mode: str | None = None
    """Value of `--mode`; None: as variables and files say."""
    ahead: tuple[spawn.Ahead, ...] = ()
    """Calls of nvcc to begin at once, while the build waits for `spawn.let_go`."""


class Begun(NamedTuple):
    """A run that was started, and how its output is to be shown."""

    started: spawn.Started
    composed: compose.Composed
    target: target.Target
    handoff_fd: int | None
    program: str
    """Canonical subcommand, or the program of `exec`."""
    notices: tuple[str, ...] = ()
    """What the caller should know before the build's own words."""

    @property
    def stops_when_closed(self) -> bool:
        """It is a program that would get SIGPIPE where its reader is gone; cargo would not end."""
        return self.program in ("run", "test", "bench", "nextest") or self.composed.parser == "generic"


def find_cargo(env: dict[str, str]) -> str | None:
    """The real cargo on PATH: our shim is passed over. None where there is none."""
    for folder in env.get("PATH", "").split(":"):
        path = folder + "/cargo"
        if folder and os.access(path, os.X_OK) and os.path.isfile(path) and not is_shim(path):
            return path
    return None


def need_program(request: Request) -> str:
    """What is to be executed: the real cargo, or the program that `exec` names.

    Raises:
        UsageError: there is none.
    """
    if request.tool == "cargo":
        cargo = find_cargo(request.env)
        if cargo is None:
            raise UsageError(
                "cargo was not found on PATH: install Rust (https://rustup.rs), or add ~/.cargo/bin to PATH"
            )
        return cargo
    if not request.words:
        raise UsageError("exec needs a command: cargo deck exec -- ninja -C build")
    if not is_program(request.words[0], request.cwd, request.env):
        raise UsageError(f"{request.words[0]}: no such program on PATH")
    return request.words[0]


def is_shim(path: str) -> bool:
    """The file is a shim of ours (of any version, wherever it lies)."""
    try:
        with open(path, "rb") as file:
            return SHIM_MARK in file.read(128)
    except OSError:
        return False


def command_of(paths: Paths, words: tuple[str, ...], cwd: str, env: dict[str, str], cargo: str = "") -> Command:
    """A cargo command line with all that its plan needs to know of it."""
    parsed, settings = parse_cargo(words, cwd, env)
    folder = grammar.folder_of(words, cwd)
    root = identity.workspace_root(folder, parsed.value("manifest-path"))
    settings = settings._replace(settings=with_manifest(paths.cache, settings.settings, root or ""))
    return Command(parsed, settings, folder, env, root or "", cargo or find_cargo(env) or "cargo", cwd)


def parse_cargo(words: tuple[str, ...], cwd: str, env: dict[str, str]) -> tuple[grammar.Parsed, config.CargoConfig]:
    """The command line taken apart, and cargo's settings for it: those of the folder that `-C` names."""
    home, cache_folder, folder = os.path.expanduser("~"), find_paths(env).cache, grammar.folder_of(words, cwd)
    settings = config.read_config(folder, env, home, cache=cache_folder, given=config.given_in(words))
    return grammar.parse(words, settings.aliases), settings


def tool_of(words: tuple[str, ...], cwd: str, env: dict[str, str]) -> tuple[str, tuple[str, ...]]:
    """What a command typed without `cargo deck` means: `test -p engine`, `cargo test`, `exec -- ninja`, `ninja`.

    Returns:
        `cargo` or `exec`, and the words after it.
    """
    if words[0] == "cargo":
        return "cargo", words[1:]
    if words[0] == "exec":
        return "exec", words[2:] if words[1:2] == ("--",) else words[1:]
    return "cargo" if _is_cargos(words, cwd, env) else "exec", words


def _is_cargos(words: tuple[str, ...], cwd: str, env: dict[str, str]) -> bool:
    """A subcommand of cargo's own; where no program has that name, also an alias or an external."""
    word = words[0]
    if word in grammar.COMMANDS or word in grammar.ALIASES or word.startswith("+"):
        return True
    if is_program(word, cwd, env):
        return False
    return is_program(f"cargo-{word}", cwd, env) or word in parse_cargo(words, cwd, env)[1].aliases


def is_recordable(words: tuple[str, ...], cwd: str, env: dict[str, str]) -> bool:
    """The command line can run with its output in a file and still look as on a terminal.

    Not an external of unknown kind, and not a line that cargo will refuse: it would colour its error.
    """
    parsed = parse_cargo(words, cwd, env)[0]
    toolchain = (parsed.toolchain or env.get("RUSTUP_TOOLCHAIN", "")).removeprefix("+")
    if {"C", "Z"} & parsed.options.keys() and "nightly" not in toolchain:
        return False
    if parsed.command is not None and parsed.command.name in ("nextest", "clippy"):
        folders = (*env.get("PATH", "").split(":"), (env.get("CARGO_HOME") or os.path.expanduser("~/.cargo")) + "/bin")
        if not any(os.access(f"{folder}/cargo-{parsed.command.name}", os.X_OK) for folder in folders if folder):
            return False  # cargo will say that there is no such command
    return parsed.is_known and (parsed.toolchain is None or is_installed(toolchain, env))


class _Ready(NamedTuple):
    """All that a start needs."""

    order: spawn.Order
    composed: compose.Composed
    target: target.Target
    notices: tuple[str, ...]


def begin(paths: Paths, request: Request) -> Begun:
    """Start the run.

    Raises:
        UsageError: there is no such program, or no such mode.
        StateError, SpawnError: it could not be recorded or started; nothing runs.
    """
    program = need_program(request)
    command = None
    if request.tool == "cargo":
        command = command_of(paths, request.words, request.cwd, request.env, program)
    slot = spawn.take_slot(paths, request.agent.name, own_target(command).path if command is not None else None)
    try:
        ready = _ready(paths, slot.run, request, command) if command is not None else _ready_exec(paths, request)
    except BaseException:  # whatever it is: nobody else would free the place
        spawn.give_up_slot(paths, slot)
        raise
    started = spawn.start(paths, slot, ready.order, owned=request.is_owned)
    order = ready.order
    return Begun(started, ready.composed, ready.target, order.handoff_fd, order.subcommand, ready.notices)


def _ready(paths: Paths, run: str, request: Request, command: Command) -> _Ready:
    """Decide all about a build of cargo's."""
    parsed, settings, root = command.parsed, command.config, command.root or None
    checkout = root or identity.git_root(command.cwd) or command.cwd
    decided = decide_run(paths, run, command, request.agent.name, checkout, request.mode)
    chosen, cached = decided.target, decided.cached
    memory = handoff.open_memory() if request.caller.out_tty and request.is_owned else None
    composed = compose.compose(
        parsed, settings, request.caller, request.env,
        target_dir=chosen.path if chosen.source == "private" else None, can_hand_over=memory is not None,
        own_harnesses=_own_harnesses(request.caller, parsed, root, command.cwd), more=decided.flags,
    )  # fmt: skip
    memory = _kept(memory, composed)
    front = _fronts(paths, command, decided, settings.build_dir or chosen.path)
    launch = Launch(
        (command.cargo, *composed.words),
        request.cwd,
        env=(*composed.env, *decided.env, *front.env, *_handed(memory)),
        path_front=(*front.folders, *cached.folders),
        wrappers=("sccache",) if cached.server else (),
    )
    order = _order(request, launch, parsed.command.name if parsed.command else parsed.subcommand, checkout)._replace(
        target_dir=chosen.path, target_source=chosen.source, json=composed.json, has_progress=composed.has_progress,
        build_dir=settings.build_dir if chosen.path is not None else None, parser=composed.parser, handoff_fd=memory,
        plan=decided.record, rustc_wrapper=settings.rustc_wrapper, cache_server=cached.server,
    )  # fmt: skip
    return _Ready(order, composed, chosen, decided.notices)


def _ready_exec(paths: Paths, request: Request) -> _Ready:
    """Decide all about a command that is not cargo."""
    checkout = identity.checkout_of(request.cwd)
    composed = compose.Composed(request.words, "none", False, False, (), False, False, "generic")
    cached = cache.choose_for_exec(paths, request.agent.name, request.env)
    nowhere = target.Target(None, "none", "")
    found = fronts.find_exec_fronts(paths, request.env, request.words, request.cwd)
    front = nvcc_cache.with_cache(paths, found, request.env)
    launch = Launch(request.words, request.cwd, env=(*cached.env, *front.env), path_front=front.folders)
    order = _order(request, launch, os.path.basename(request.words[0]), checkout)
    order = order._replace(plan=brief_record(nowhere, cached), cache_server=cached.server)
    return _Ready(order, composed, nowhere, cached.notices)


def _order(request: Request, launch: Launch, subcommand: str, checkout: str) -> spawn.Order:
    """What is the same for all; the rest as it is for a command that is not cargo."""
    return spawn.Order(
        agent=request.agent.name,
        agent_source=request.agent.source,
        tool=request.tool,
        subcommand=subcommand,
        typed=request.words,
        launch=launch,
        env=request.env,
        checkout=checkout,
        target_dir=None,
        target_source="none",
        json="none",
        has_progress=False,
        parser="generic",
        streams=1 if request.caller.is_one_stream else 2,
        has_terminal=request.caller.has_terminal,
        mode_asked=request.mode,
        ahead=request.ahead,
        is_held=bool(request.ahead),
    )


def _handed(memory: int | None) -> tuple[tuple[str, str], ...]:
    return ((handoff.VARIABLE, str(memory)),) if memory is not None else ()


def _kept(memory: int | None, composed: compose.Composed) -> int | None:
    if memory is None or composed.is_handoff:
        return memory
    os.close(memory)
    return None


def _fronts(paths: Paths, command: Command, decided: Decided, build_dir: str | None) -> fronts.Fronts:
    given = (key[1] for key in command.config.settings.values if key[:1] == ("env",) and len(key) > 1)
    settled = frozenset((*(name for name, _ in decided.env), *given))
    has_cache, wrapper = bool(decided.cached.server), command.config.rustc_wrapper
    found = fronts.find_fronts(
        paths, fronts.Build(command.env, command.root or None, wrapper, build_dir, has_cache, settled)
    )
    return nvcc_cache.with_cache(paths, found, command.env, settled)


def is_program(program: str, cwd: str, env: dict[str, str]) -> bool:
    """It can be executed: a path, or a name on PATH."""
    if "/" in program:
        return _is_executable(os.path.join(cwd, program))
    folders = env.get("PATH", "").split(":") if program else ()
    return any(_is_executable(f"{folder}/{program}") for folder in folders if folder)


def _is_executable(path: str) -> bool:
    return os.access(path, os.X_OK) and os.path.isfile(path)


def _own_harnesses(caller: compose.Caller, parsed: grammar.Parsed, root: str | None, cwd: str) -> frozenset[str]:
    if not caller.out_tty or root is None or parsed.command is None or parsed.command.after != "libtest":
        return frozenset()
    return harness.own_harnesses(parsed, root, cwd)


def start_detached(paths: Paths, *, agent: str, cwd: str, words: tuple[str, ...], tool: str, env: dict[str, str],
                   mode: str | None = None) -> str:  # fmt: skip
    """Start a run that nobody owns; its id. `mode`: that somebody chose for it.

    Raises:
        UsageError: bad agent name or no such program.
        StateError, SpawnError: it could not be started.
    """
    if not os.path.isdir(cwd):
        raise SpawnError(f"{cwd} is not a folder")
    named = identity.find_agent(agent, env, cwd)
    return begin(paths, Request(tool, words, named, cwd, env, compose.NOBODY, is_owned=False, mode=mode)).started.run
