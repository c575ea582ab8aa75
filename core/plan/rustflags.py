"""Which of the places that name rustflags cargo takes, and each flag by itself. Pure.

Source: cargo 1.95, `TargetInfo`, `extra_args`: `CARGO_ENCODED_RUSTFLAGS`, else `RUSTFLAGS`, else `target.*`, else
`build`. The first that is there is taken, an empty variable too; the others are dropped.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from core.plan.given import Given, Key, Origin, Settings

VARIABLES = ("CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS")
"""In the order in which cargo asks for them."""
BUILD_FLAGS: Key = ("build", "rustflags")
_SHORT_FLAGS = {"-O": ("opt-level", "3"), "-g": ("debuginfo", "2")}
_TAKE_A_WORD = frozenset(
    "--cfg --check-cfg -L -l -A -W -D -F --allow --warn --deny --forbid --force-warn --cap-lints --extern --emit "
    "--remap-path-prefix --sysroot --target --edition --crate-type --print -o --out-dir".split()
)
"""Options whose value is the word behind them."""


class Flag(NamedTuple):
    """One word of rustc's command line, or two that belong together."""

    kind: str
    """`C`, `Z`; empty: another one."""
    name: str
    """`link-arg`, `opt-level`; of another one the word itself."""
    value: str
    words: tuple[str, ...]
    """As they stand there."""
    origin: Origin
    key: Key = ()
    """Of the setting; empty: a variable."""

    @property
    def shown(self) -> str:
        """As a person would write it."""
        return " ".join(self.words)


def effective_rustflags(
    settings: Settings, env: Mapping[str, str], triple: str, host: str
) -> tuple[Key, tuple[str, ...] | None]:
    """The key that counts, and the flags that rustc gets for what is built.

    `triple`: of `--target`, or `build.target`; empty: none is asked for. The key is empty where nobody named flags; of
    several `target.*` it is the first one's. None for the flags: a `cfg(…)` cannot be told from the triple.
    With a triple, build scripts and procedural macros get none of them.
    """
    given = flags_of_variables(settings, env)
    if given is not None:
        return (given.origin.place,), given.words
    keys = target_keys(settings, triple or host, "rustflags")
    if keys:
        words = tuple(word for key, _ in keys for word in settings.values[key].words)
        return keys[0][0], words if all(is_known for _, is_known in keys) else None
    built = settings.get(*BUILD_FLAGS)
    return (BUILD_FLAGS, built.words) if built is not None else ((), ())


def flags_of_variables(settings: Settings, env: Mapping[str, str]) -> Given | None:
    """Rustflags of the environment; None: there are none. `env` counts before `settings`, whose value of the same
    variable may hold a credential."""
    for name in VARIABLES:
        if name in env:
            text = env[name]
            return Given(text.split("\x1f" if "ENCODED" in name else None) if text else [], Origin(name))
        given = settings.get(name)
        if given is not None:
            return Given(list(given.words), Origin(name))
    return None


def target_keys(settings: Settings, triple: str, name: str) -> list[tuple[Key, bool]]:
    """Keys `target.*.NAME` that hold for a triple, its own first, then those of a `cfg(…)` by name; with each, whether
    that is known: where the triple does not tell, the key may hold."""
    found: list[tuple[Key, bool]] = []
    for key, given in settings.values.items():
        if len(key) != 3 or key[0] != "target" or key[2] != name or not given.value:
            continue
        if key[1] == triple:
            found.append((key, True))
        elif key[1].startswith("cfg("):
            from core.plan.cfg import facts_of, holds  # with expressions, 0.4 ms: few settings have one

            if (answer := holds(key[1], facts_of(triple))) is not False:
                found.append((key, answer is True))
    return sorted(found, key=lambda one: (one[0][1] != triple, one[0][1]))


def config_keys(settings: Settings, triple: str) -> list[Key]:
    """Keys of the configuration whose rustflags are known to be taken for a triple, where no variable has any."""
    keys = target_keys(settings, triple, "rustflags")
    if keys:
        return [key for key, is_known in keys if is_known]
    return [BUILD_FLAGS] if settings.get(*BUILD_FLAGS) is not None else []


def flags_in_effect(settings: Settings, env: Mapping[str, str], triple: str) -> Iterator[Flag]:
    """Flags that are known to reach rustc for a triple, each with the very place that it stands at."""
    variables = flags_of_variables(settings, env)
    if variables is not None:
        return flags_at(variables)
    return flags_of_keys(settings, config_keys(settings, triple))


def flags_of_keys(settings: Settings, keys: Iterable[Key]) -> Iterator[Flag]:
    """Each flag that some keys have, by the very places that say it."""
    for key in keys:
        for place in flag_places(settings, key):
            yield from flags_at(place, key)


def places_of(settings: Settings, key: Key) -> list[Given]:
    """Every place that says something about a key, each with its own value, those that count more first."""
    given = [one for name, one in settings.every if name == key]
    counts = settings.get(*key)
    return given or ([counts] if counts is not None else [])


def flag_places(settings: Settings, key: Key) -> Iterator[Given]:
    """The places whose rustflags count. Source: cargo 1.95: arrays and variables are joined, a text hides what counts
    less."""
    for place in places_of(settings, key):
        yield place
        if isinstance(place.value, str) and not place.origin.is_variable:
            return


def flags_at(given: Given, key: Key = ()) -> Iterator[Flag]:
    """Each flag of one place. Source: `rustc --help -v`, 1.95."""
    words = given.words
    at = 0
    while at < len(words):
        flag = _flag(words[at], words[at + 1] if at + 1 < len(words) else None, given.origin, key)
        yield flag
        at += len(flag.words)


def _flag(word: str, following: str | None, origin: Origin, key: Key) -> Flag:
    for head, kind in (("--codegen=", "C"), ("-C", "C"), ("-Z", "Z")):
        inside = word[len(head) :] if word.startswith(head) else ""
        is_alone = word == head.rstrip("=") and following is not None
        if inside or is_alone:
            name, _, value = (inside or str(following)).strip().partition("=")
            words = (word, str(following)) if is_alone else (word,)
            return Flag(kind, name.replace("_", "-"), value, words, origin, key)
    if word in _SHORT_FLAGS:
        return Flag("C", *_SHORT_FLAGS[word], (word,), origin, key)
    if word in _TAKE_A_WORD and following is not None:
        return Flag("", word, following, (word, following), origin, key)
    return Flag("", word, "", (word,), origin, key)
