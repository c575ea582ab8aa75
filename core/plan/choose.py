"""Which mode a build gets: the flag, variables, the project's `deck.toml`, the person's `config.toml`, in that order.

On the way to every build: with neither file it costs three calls of stat, and a file is read once.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from core.plan.foreign import plain
from core.plan.given import Given, Key, Origin, Trouble
from core.plan.modes import MOST, NONE, Layer, built_in, hint, layer_troubles, names, read_layer, resolve, why_no_mode
from core.plan.option import shown
from core.plan.wish import Mode
from core.run.cache import settings_path
from core.run.command import FEATURES, MODE, VERBOSE, is_there, project_file

FLAG = "--mode"
_BARE = {MODE: "MODE", VERBOSE: "VERBOSE", FEATURES: "FEATURES"}
"""What the variables are called too, where the project says `bare-names = true`: make exports such names."""
_YES, _NO = ("true", "1", "yes", "on"), ("false", "0", "no", "off")
_DIR_KEYS = ("checkout+agent", "full")
_PROJECT_KEYS = ("mode", "bare-names", "target-dir-key", "modes", "budgets")


class Own(NamedTuple):
    """What the project and the person say of modes."""

    project: str = ""
    """Path of `deck.toml`; empty: there is none."""
    settings: str = ""
    """Path of `config.toml`; empty: there is none."""
    layers: tuple[Layer, Layer] = ({}, {})
    """Modes of the project, and of the person."""
    asked: tuple[Given, ...] = ()
    """`mode` of the project, then of the person; not looked at yet. None of either where `deck.toml` cannot be read:
    what it says may be another one."""
    has_bare_names: bool = False
    """`MODE`, `VERBOSE` and `FEATURES` count too."""
    target_dir_key: Given = Given(_DIR_KEYS[0], Origin(""))
    """What tells private target dirs apart: `checkout+agent`, or `full` (toolchain, triple, lock, features, agent)."""
    troubles: tuple[Trouble, ...] = ()
    """Of the files, those of single modes left out: `list_troubles` has them too."""


class Chosen(NamedTuple):
    """The mode of one build."""

    mode: Mode = Mode()
    """Without a name where none is chosen, or what was chosen cannot be used."""
    others: tuple[tuple[Origin, str], ...] = ()
    """Places that count less, and the modes that they name, those that count more first."""
    troubles: tuple[Trouble, ...] = ()
    is_refused: bool = False
    """The flag names no mode that can be used: nothing is to be built, the last of `troubles` says why."""
    own: Own = Own()
    """What was read on the way."""


def choose_mode(cache: str, *, flag: str | None, env: Mapping[str, str], root: str) -> Chosen:
    """The mode of a build, and what is wrong with what was asked for; a wrong one is not replaced by the next.

    Args:
        cache: Folder of what was parsed before; empty: none.
        flag: Value of `--mode`; None: not given.
        env: The caller's variables.
        root: Of the workspace; empty: there is none.
    """
    own = read_own(cache, root, env)
    troubles = (*own.troubles, *_wrong_variables(env, own))
    asked = tuple(_asked(flag, env, own))
    if not asked:
        return Chosen(troubles=troubles, own=own)
    first = asked[0]
    others = tuple((given.origin, _name(given)) for given in asked[1:])
    if first.value == NONE:
        return Chosen(Mode(chosen_by=first.origin), others, troubles, own=own)
    layers = (*own.layers, built_in())
    resolved = resolve(first.value, layers) if isinstance(first.value, str) else None
    if resolved is None:
        wrong = Trouble(first.origin, why_no_mode(first.value, [*names(layers), NONE]))
        return Chosen(Mode(chosen_by=first.origin), others, (*troubles, wrong), flag is not None, own)
    if resolved.troubles:
        every = (*troubles, *resolved.troubles)
        return Chosen(Mode(chosen_by=first.origin), others, every, flag is not None, own)
    return Chosen(resolved.mode._replace(chosen_by=first.origin), others, troubles, own=own)


def _asked(flag: str | None, env: Mapping[str, str], own: Own) -> Iterator[Given]:
    """Everything that names a mode, what counts more first."""
    if flag is not None:
        yield Given(flag, Origin(FLAG))
    if env.get(MODE):
        yield Given(env[MODE], Origin(MODE))
    if own.has_bare_names and env.get(_BARE[MODE]):
        yield Given(env[_BARE[MODE]], Origin(_BARE[MODE]))
    yield from own.asked


def _name(given: Given) -> str:
    return plain(given.value) if isinstance(given.value, str) else shown(given.value)


def read_own(cache: str, root: str, env: Mapping[str, str]) -> Own:
    """What `deck.toml` and `config.toml` say of modes; files that are not there say nothing."""
    project, settings = project_file(root), settings_path(env)
    if not is_there(settings):
        settings = ""
    if not project and not settings:
        return Own()
    from core.plan.toml_file import read_leaves

    theirs, project_troubles = read_leaves(cache, project) if project else ({}, ())
    ours, settings_troubles = read_leaves(cache, settings) if settings else ({}, ())
    layer, layer_troubles = read_layer(theirs)
    own_layer, own_troubles = read_layer(ours)
    asked = () if project_troubles else tuple(one[("mode",)] for one in (theirs, ours) if ("mode",) in one)
    bare, key, wrong = _project_keys(theirs)
    troubles = (*project_troubles, *wrong, *layer_troubles, *settings_troubles, *_wrong_settings(ours), *own_troubles)
    return Own(project, settings, (layer, own_layer), asked, bare, key, troubles)


def _project_keys(leaves: Mapping[Key, Given]) -> tuple[bool, Given, list[Trouble]]:
    """`bare-names`, `target-dir-key`, and what is wrong in the file but for its modes."""
    bare, key = False, Own().target_dir_key
    troubles: list[Trouble] = []
    for words, given in leaves.items():
        if len(troubles) >= MOST:
            break
        match words:
            case ("mode",) | ("modes", *_) | ("budgets", *_):
                pass  # `core.native.edits.budgets` says what is wrong in those
            case ("bare-names",) if isinstance(given.value, bool):
                bare = given.value
            case ("bare-names",):
                troubles.append(Trouble(given.origin, f"bare-names is true or false: {shown(given.value)} is not"))
            case ("target-dir-key",) if given.value in _DIR_KEYS:
                key = given
            case ("target-dir-key",):
                said = " or ".join(f'"{one}"' for one in _DIR_KEYS)
                troubles.append(Trouble(given.origin, f"target-dir-key is {said}: {shown(given.value)} is not"))
            case _:
                troubles.append(Trouble(given.origin, _why_no_key(words)))
    return bare, key, troubles


def _why_no_key(words: Key) -> str:
    if words[0] == "mode":
        return 'mode is the name of a mode, such as "dev": a table is not; modes are made in [modes.NAME]'
    if words[0] in _PROJECT_KEYS:
        return f"{words[0]} is a value: a table is not"
    return f"there is no setting {plain(words[0])} in deck.toml{hint(words[0], _PROJECT_KEYS)}"


def _wrong_settings(leaves: Mapping[Key, Given]) -> tuple[Trouble, ...]:
    """Of the person's file: `[mode]`. All else in it is for others."""
    found = [given for key, given in leaves.items() if key[0] == "mode" and len(key) > 1]
    return tuple(Trouble(given.origin, _why_no_key(("mode",))) for given in found[:1])


def _variable(env: Mapping[str, str], own: Own, name: str) -> Given | None:
    """What a variable or its bare name says; None: neither is there, or has text in it."""
    for one in (name, _BARE[name]) if own.has_bare_names else (name,):
        if env.get(one):
            return Given(env[one], Origin(one))
    return None


def read_verbose(env: Mapping[str, str], own: Own) -> Given | None:
    """True or False as `DECK_VERBOSE` says; None: it says nothing, or neither."""
    given = _variable(env, own, VERBOSE)
    word = given.value.strip().lower() if given else ""
    return given._replace(value=word in _YES) if given and word in (*_YES, *_NO) else None


def read_features(env: Mapping[str, str], own: Own) -> Given | None:
    """What `DECK_FEATURES` asks for, as `--features` takes it: `a,b`; None: nothing."""
    given = _variable(env, own, FEATURES)
    if given is None or not given.value.isprintable():
        return None
    words = ",".join(given.value.replace(",", " ").split())
    return given._replace(value=words) if words else None


def _wrong_variables(env: Mapping[str, str], own: Own) -> Iterator[Trouble]:
    """Variables of ours that cannot be used, but for the mode's."""
    if env.get(VERBOSE) and read_verbose(env, own) is None:
        yield Trouble(Origin(VERBOSE), f"it is true or false: {shown(env[VERBOSE])} is not")
    if not env.get(FEATURES, "").isprintable():
        why = f"it is names of features with commas between them: {shown(env[FEATURES])} is not"
        yield Trouble(Origin(FEATURES), why)


def all_modes(cache: str, root: str, env: Mapping[str, str]) -> tuple[Mode, ...]:
    """Every mode that can be used here, those of the project first, then the person's, then the built-in ones; in
    place of who chose it stands where it is defined."""
    layers = (*read_own(cache, root, env).layers, built_in())
    resolved = [found for name in names(layers) if (found := resolve(name, layers))]
    return tuple(one.mode for one in resolved if not one.troubles)


def list_troubles(own: Own) -> tuple[Trouble, ...]:
    """Everything that is wrong in both files, modes that nobody chose too, each once."""
    layers = (*own.layers, built_in())
    known = [*names(layers), NONE]
    unknown = [given for given in own.asked if given.value not in known]
    found = (Trouble(given.origin, why_no_mode(given.value, known)) for given in unknown)
    return tuple(dict.fromkeys((*own.troubles, *found, *layer_troubles(layers))))
