"""The person's settings: `config.toml`, read so that what is wrong in it is said with its line and stops nothing.

Few have the file, and all wait for the first paint: what parses it (12 ms) is imported where there is one.
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from core.errors import UsageError
from core.plan import modes as of_builds
from core.plan.given import Given, Origin
from core.plan.toml_file import leaves_of
from core.plan.toml_lines import Lines, find_lines
from core.run.cache import KINDS, parse_size, settings_path
from core.values import dataclass
from tui import bindings
from tui.key_names import normal_keys

Value = str | bool
When = Literal["never", "failure", "end"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What the dashboard does differently for this person."""

    theme: str = "auto"
    """`dark`, `light`, `terminal`; `auto`: as it was left, else what suits the terminal."""
    ascii: Literal["auto", "yes", "no"] = "auto"
    """Draw in ASCII; `auto`: where the locale is not UTF-8."""
    pager: str = ""
    """Command that shows a whole log; empty: `$PAGER`, else less."""
    editor: str = ""
    """Command that opens a place in the sources; empty: `$VISUAL`, `$EDITOR`."""
    bell: When = "never"
    """Ring when a build failed, or whenever one ended."""
    osc9: When = "never"
    """The same as a notification of the terminal's desktop (OSC 9)."""
    sort: str = "auto"
    """Order of panes: `appearance`, `name`, `state`; `auto`: as it was left."""
    layout: str = "auto"
    """`fit`, `list`, `1`, `2`, `3` columns; `auto`: as it was left."""
    wrap: bool = False
    """Logs open with long lines wrapped."""
    timestamps: bool = False
    """Logs open with a time before each line."""
    copy: Literal["auto", "desktop", "osc52", "file"] = "auto"
    """How text is copied: see `tui.clipboard`."""
    cache: str = "none"
    """Compiler cache of builds: `none`, `sccache`. Read anew before each build: `core.run.cache`."""
    store: str = "own"
    """Where it stores: `own`, or a backend's URL."""
    store_size: str = "50G"
    """Of our own store."""
    mode: str = "none"
    """Of builds where nothing else names one: `core.plan.modes`. Read anew before each build, as `[modes.NAME]` is."""
    measure_ptx: bool = True
    """The engine counts registers and spills of PTX: `core.ptx_setting`. Read anew when the file changes."""
    keys: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Keys by action id, comma separated, as Textual names them."""


class Option(NamedTuple):
    """One setting of the file, but for the keys."""

    path: str
    """`notify.bell`: table and name."""
    allowed: tuple[Value, ...]
    """Empty: text, that `why_not` looks at."""
    about: str
    """A comment for the file."""

    @property
    def name(self) -> str:
        """Of the field in Settings."""
        return self.path.rpartition(".")[2].replace("-", "_")


_WHEN = ("never", "failure", "end")
OPTIONS = (
    Option("theme", ("auto", "dark", "light", "terminal"), "auto: as you left it, else what suits the terminal"),
    Option("ascii", ("auto", "yes", "no"), "no character beyond ASCII; auto: where the locale is not UTF-8"),
    Option("pager", (), "shows a whole log; empty: $PAGER, else less"),
    Option("editor", (), "opens a place in the sources; empty: $VISUAL, $EDITOR"),
    Option("cache", KINDS, "compiler cache of builds; one in front makes the first edit of a member slower"),
    Option("store", (), "where it stores: own, redis://…, memcached://…, s3://bucket/prefix?region=…, gha, https://…"),
    Option("store-size", (), "of our own store; least recently used goes first"),
    Option("mode", (), "mode of builds where neither --mode, DECK_MODE nor the project's deck.toml names one"),
    Option("measure-ptx", (True, False), "the toolkit's ptxas counts registers and spills of PTX, in the background"),
    Option("notify.bell", _WHEN, "rings the terminal when a build failed, or ended"),
    Option("notify.osc9", _WHEN, "the same as a desktop notification, where the terminal knows OSC 9"),
    Option("board.sort", ("auto", "appearance", "name", "state"), "order of the panes; auto: as you left it"),
    Option("board.layout", ("auto", "fit", "list", "1", "2", "3"), "panes side by side; auto: as you left it"),
    Option("log.wrap", (False, True), "long lines go on in the next row"),
    Option("log.timestamps", (False, True), "a time before each line"),
    Option("log.copy", ("auto", "desktop", "osc52", "file"), "where copied text goes; auto: the surest way there is"),
)
_TEXTS = {"store": "text", "store-size": "text", "mode": "the name of a mode"}
_BY_PATH = {option.path: option for option in OPTIONS}
_MAX_BYTES = 1 << 20
_NOTHING = "until it is mended, nothing here applies"
_AT_LINE = re.compile(r" \(at line (\d+), column \d+\)| \(at end of document\)")


class Complaint(NamedTuple):
    """Something in the file that cannot be used."""

    line: int
    """1..; 0: the file as a whole."""
    why: str
    """What is wrong and what to do."""

    def sentence(self, path: str) -> str:
        """With file and line."""
        return f"{path}, line {self.line}: {self.why}" if self.line else f"{path}: {self.why}"


def config_path(env: Mapping[str, str]) -> str:
    """Where the file is, by the XDG base directory specification."""
    return settings_path(env)


def load(path: str) -> tuple[Settings, tuple[Complaint, ...]]:
    """The settings in a file, and what cannot be used of it; no file is no complaint."""
    try:
        with open(path, "rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return Settings(), ()
    except OSError as error:
        return Settings(), (Complaint(0, f"it cannot be read: {error.strerror}"),)
    if len(content) > _MAX_BYTES:
        return Settings(), (Complaint(0, f"it is longer than {_MAX_BYTES} bytes: nothing in it applies"),)
    try:
        return parse(content.decode().removeprefix("\ufeff"))
    except UnicodeDecodeError:
        return Settings(), (Complaint(0, "it cannot be read: it is not UTF-8 text"),)


def parse(text: str) -> tuple[Settings, tuple[Complaint, ...]]:
    """The settings in a text. What is wrong keeps its default; what is right applies."""
    import tomllib

    lines = find_lines(text)
    if lines.too_deep:
        return Settings(), (Complaint(lines.too_deep, f"it is nested too deeply; {_NOTHING}"),)
    try:
        return _settings(tomllib.loads(text), lines)
    except tomllib.TOMLDecodeError as error:
        return Settings(), (_not_toml(str(error), text),)
    except (ValueError, RecursionError) as error:
        return Settings(), (Complaint(0, f"this is not TOML: {error}; {_NOTHING}"),)


def _settings(table: dict[str, Any], found_lines: Lines) -> tuple[Settings, tuple[Complaint, ...]]:
    keys, modes, budgets = (table.pop(name, {}) for name in ("keys", "modes", "budgets"))
    wrong: list[tuple[str, str]] = []
    found: dict[str, Any] = {}
    for path, value in _flat(table):
        if (why := _why_not(path, value)) is None:
            found[_BY_PATH[path].name] = value
        else:
            wrong.append((path, why))
    keymap, bad_keys = _keymap(keys)
    known, bad_modes = _modes(modes, found_lines)
    if found.get("mode", of_builds.NONE) not in known:
        wrong.append(("mode", of_builds.why_no_mode(found.pop("mode"), known)))
    settings = replace(Settings(), **found, keys=MappingProxyType(keymap))
    lines = _by_path(found_lines) if wrong or bad_keys else {}
    complaints = {*(Complaint(lines.get(path, 0), why) for path, why in (*wrong, *bad_keys)), *bad_modes}
    complaints |= set(_wrong_budgets(budgets, found_lines)) if budgets != {} else set()
    return settings, tuple(sorted(complaints))


def default_text() -> str:
    """A file that changes nothing and explains everything."""
    lines = ["# cargo deck's settings. Each line shows the default: remove the # and change it.", ""]
    table = ""
    for option in OPTIONS:
        head, _, name = option.path.rpartition(".")
        if head != table:
            lines += ["", f"[{head}]"]
            table = head
        choices = f" ({', '.join(_toml(value) for value in option.allowed)})" if option.allowed else ""
        lines += [f"# {option.about}{choices}", f"# {name} = {_toml(getattr(Settings(), option.name))}"]
    lines += ["", "[keys]", "# Comma separated; names as in: a, A, ?, ctrl+k, f5, space, pagedown, shift+tab"]
    defaults = {str(one.id): one for keys in bindings.SCREENS.values() for one in bindings.bindings(keys)}
    lines += [f"# {name} = {_toml(defaults[name].key)}  # {defaults[name].tooltip}" for name in bindings.every_id()]
    return "\n".join([*lines, *_default_modes()]) + "\n"


def _default_modes() -> list[str]:
    """What a mode of one's own can say. Another file's reader takes what is set here, so all of it is a comment."""
    lines = ["", "# Modes of your own: docs/modes.md. Built in are:"]
    lines += [f"#   {name}: {about}" for name, (about, _) in of_builds.BUILT_IN.items()]
    lines += ["# [modes.mine]", '# inherits = "dev"  # whose options these are put on top of', '# about = ""']
    width = max(map(len, of_builds.OPTIONS))
    lines += [f"#   {one.name:{width}}  {one.about}: {one.expected}" for one in of_builds.OPTIONS.values()]
    return [*lines, "", "# Seconds that a build after an edit may take: docs/cuda.md.", "# [budgets]", "#   rust = 2"]


def _toml(value: Value) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def _flat(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Every value with its dotted path: `[a] b.c = 1` and `[a.b] c = 1` are one."""
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield before + name, value


def _why_not(path: str, value: object) -> str | None:
    """What is wrong with a setting; None: nothing."""
    option = _BY_PATH.get(path)
    if option is None:
        if any(known.startswith(path + ".") for known in _BY_PATH):
            return f"{path} is a table: write [{path}] on a line of its own"
        return f"there is no setting {path}{_hint(path, tuple(_BY_PATH))}"
    if not option.allowed:
        return _why_no_text(path, value)
    if any(value is one or (isinstance(one, str) and value == one) for one in option.allowed):
        return None
    return f"{path} is one of {', '.join(_toml(one) for one in option.allowed)}"


def _why_no_text(path: str, value: object) -> str | None:
    if not isinstance(value, str):
        return f'{path} is {_TEXTS.get(path, "a command")}: write it as "…"'
    if path == "store-size":
        return None if parse_size(value) else f'{path} is a number with its unit, such as "50G"'
    if path == "store":
        return _why_no_store(value)
    if path == "mode":
        return None
    try:
        shlex.split(value)
    except ValueError as error:
        return f"{path} cannot be read as a command: {error.args[0].lower()}"
    return None


def _why_no_store(value: str) -> str | None:
    from core.cache.backends import backend_of

    try:
        if value != "own":
            backend_of(value, {})
    except UsageError as error:
        return str(error)
    return None


def _hint(word: str, known: tuple[str, ...]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, known, 1, 0.6)
    return f": did you mean {near[0]}?" if near else ": `cargo deck config default` lists all"


def _keymap(keys: object) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """The keymap of the table `keys`, and what is wrong in it, by path."""
    if not isinstance(keys, dict):
        return {}, [("keys", "keys is a table: write [keys] on a line of its own")]
    known = bindings.every_id()
    keymap: dict[str, str] = {}
    wrong: list[tuple[str, str]] = []
    for name, value in _flat(keys):
        if name not in known:
            wrong.append((f"keys.{name}", f"there is no action {name}{_hint(name, known)}"))
        elif not isinstance(value, str) or not value.strip():
            wrong.append((f"keys.{name}", f'{name} needs keys: write {name} = "a" or "a,ctrl+b"'))
        else:
            try:
                keymap[name] = normal_keys(value)
            except ValueError as error:
                why = f"there is no key {str(error)!r}: keys are written like a, A, ?, ctrl+k, f5, space, shift+tab"
                wrong.append((f"keys.{name}", why))
    return _without_clashes(keymap, wrong)


def _without_clashes(
    keymap: dict[str, str], wrong: list[tuple[str, str]]
) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """The keymap without what would take a key twice on one screen; an action that is left out has its own keys
    again, which may clash in turn."""
    kept = dict(keymap)
    while clash := next(_clashes(kept), None):
        name, other, key, screen = clash
        del kept[name]
        wrong = [*wrong, (f"keys.{name}", f"{key} is already {other} on the {screen} screen: give one of them another")]
    return kept, wrong


def _clashes(keymap: Mapping[str, str]) -> Iterator[tuple[str, str, str, str]]:
    """(action that the person moved, other action, key, screen) for each key that has two actions on one screen. By
    default some have: what is nearer comes first. That is no clash."""
    for screen, keys in bindings.SCREENS.items():
        owners: dict[str, str] = {}
        own = {str(one.id): one.key.split(",") for one in bindings.bindings(keys)}
        for name, usual in own.items():
            for key in keymap[name].split(",") if name in keymap else usual:
                other = owners.setdefault(key, name)
                if other != name and not (key in usual and key in own[other]):
                    yield (name, other, key, screen) if name in keymap else (other, name, key, screen)


def _modes(modes: object, lines: Lines) -> tuple[list[str], list[Complaint]]:
    """What can be the value of `mode`, and what is wrong in `[modes.NAME]`."""
    leaves = {key: Given(value, Origin("", lines.of(key))) for key, value in leaves_of({"modes": modes})}
    layer, troubles = of_builds.read_layer(leaves)
    layers = (layer, of_builds.built_in())
    wrong = (*troubles, *of_builds.layer_troubles(layers)) if leaves else ()
    return [*of_builds.names(layers), of_builds.NONE], [Complaint(one.origin.line, one.why) for one in wrong]


def _wrong_budgets(budgets: object, lines: Lines) -> list[Complaint]:
    """What is wrong in `[budgets]`, which `cargo deck iterations` reads."""
    from core.native.edits.budgets import budgets_in

    leaves = [(key, Given(value, Origin("", lines.of(key)))) for key, value in leaves_of({"budgets": budgets})]
    return [Complaint(one.origin.line, one.why) for one in budgets_in(leaves, "")[1]]


def _not_toml(error: str, text: str) -> Complaint:
    place = _AT_LINE.search(error)
    line = int(place[1]) if place and place[1] else len(text.rstrip().splitlines()) or 1
    said = _AT_LINE.sub("", error)
    return Complaint(line, f"this is not TOML: {said[:1].lower()}{said[1:]}; {_NOTHING}")


def _by_path(lines: Lines) -> dict[str, int]:
    """The line that sets each dotted path; of those that are written alike, the first."""
    found: dict[str, int] = {}
    for key, line in lines.lines.items():
        found.setdefault(".".join(key), line)
    return found
