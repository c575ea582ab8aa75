"""Why a compilation missed: which of its inputs differs from what was made before. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from core.cache.inputs import Inputs
from core.parsers.text import sanitise

Reason = Literal[
    "first time", "source", "flags", "environment", "dependency", "folder", "compiler", "evicted", "not known"
]
MAX_DETAIL = 160
_NAMED = 2
"""Differences of one kind that are named; of more, how many there are."""
_CAUSES: tuple[Reason, ...] = ("compiler", "flags", "environment", "folder", "source", "dependency")
"""What comes first may be the cause of what comes later: another compiler gives other dependencies."""
_PLACES = ("OUT_DIR", "CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_TARGET_TMPDIR", "CARGO_RUSTC_CURRENT_DIR")
_DERIVED = ("-C metadata=", "-C extra-filename=")
"""Cargo makes them of the unit's package, features, profile and dependencies: of anything that differs."""


class _Compared(NamedTuple):
    """How two compilations differ."""

    kinds: Mapping[Reason, list[str]]
    """What differs of each kind, in words; kinds without a difference are left out."""
    is_derived: bool
    """What cargo makes of all the rest differs."""

    @property
    def total(self) -> int:
        """All differences."""
        return sum(len(said) for said in self.kinds.values())


def explain(now: Inputs, before: Iterable[Inputs]) -> tuple[Reason, str]:
    """The reason of a miss, and what differs from the nearest of the earlier ones, the newest of them first.

    `evicted`: all is as it was when it was stored; `not known`: so it is, but not all can be seen.
    """
    reason, detail = _explain(now, [old for old in before if old.unit == now.unit])
    return reason, sanitise(detail.encode("utf-8", "replace"), MAX_DETAIL)


def _explain(now: Inputs, before: list[Inputs]) -> tuple[Reason, str]:
    if not before:
        return "first time", ""
    kin = [old for old in before if old.version == now.version or now.sources.keys() & old.sources.keys()]
    if not kin:
        return "first time", f"{now.version}; {before[0].version} was made before"
    compared = [_compare(now, old) for old in kin]
    nearest = min(range(len(kin)), key=lambda at: (len(compared[at].kinds), "folder" in compared[at].kinds,
                                                   compared[at].is_derived, compared[at].total, not kin[at].is_whole,
                                                   at))  # fmt: skip
    found = compared[nearest]
    for reason in _CAUSES:
        if said := found.kinds.get(reason):
            return reason, _told(said, found, reason)
    if found.is_derived:
        return "flags", "-C metadata: cargo takes it for another unit"
    return _unchanged(now, kin[nearest])


def _unchanged(now: Inputs, old: Inputs) -> tuple[Reason, str]:
    if old.stored and now.began and now.began <= old.stored:
        return "first time", "another build compiled it at the same moment"
    hidden = sorted(name for name, value in now.env.items() if value == "set")
    if hidden:
        return "not known", f"nothing that can be seen; {hidden[0]} may differ"
    if not (now.is_whole and old.is_whole):
        return "not known", "nothing that can be seen"
    return "evicted", ""


def _told(said: list[str], found: _Compared, reason: Reason) -> str:
    text = "; ".join(said[:_NAMED])
    if len(said) > _NAMED:
        text += f"; {len(said) - _NAMED} more"
    if reason == "dependency" and not said[0].endswith((" is new", " is gone")):
        text += " (its own inputs differ)" if len(said) == 1 else " (their own inputs differ)"
    own = [kind for kind in ("source",) if kind != reason and found.kinds.get("source")]
    return text + (f"; also {found.kinds['source'][0]}" if own else "")


def _compare(now: Inputs, old: Inputs) -> _Compared:
    kinds: dict[Reason, list[str]] = {}
    if now.compiler and old.compiler and now.compiler != old.compiler:
        same_name = "another build of it" if now.toolchain == old.toolchain else old.toolchain
        kinds["compiler"] = [f"{now.toolchain}, was {same_name}"]
    flags, is_derived = _flags(now.words, old.words)
    kinds["flags"] = flags
    # without its dep-info neither the sources of one nor all that it reads of the environment are known
    is_known = bool(now.sources) == bool(old.sources)
    both = now.env.keys() | old.env.keys() if is_known else now.env.keys() & old.env.keys()
    kinds["environment"], places = _environment(now.env, old.env, both)
    kinds["folder"] = [f"{now.cwd}, was {old.cwd}"] if now.cwd != old.cwd else places
    kinds["source"] = _files(now.sources, old.sources) if is_known else []
    kinds["dependency"] = _files(now.externs, old.externs)
    return _Compared({kind: said for kind, said in kinds.items() if said}, is_derived)


def _flags(now: tuple[str, ...], old: tuple[str, ...]) -> tuple[list[str], bool]:
    """What differs in words, and whether what cargo derives does."""
    came, went = Counter(now) - Counter(old), Counter(old) - Counter(now)
    is_derived = any(word.startswith(_DERIVED) for word in (*came, *went))
    new = [word for word in came if not word.startswith(_DERIVED)]
    gone = [word for word in went if not word.startswith(_DERIVED)]
    said: list[str] = []
    for word in new:
        head, sign, _ = word.partition("=")
        was = next((other for other in gone if sign and other.partition("=")[0] == head), None)
        if was is not None and not word.startswith("--cfg"):
            gone.remove(was)
            said.append(f"{word}, was {was.partition('=')[2]}")
        else:
            said.append(f"{word} is new")
    said += [f"{word} is gone" for word in gone]
    if not came and not went and _without_cfg(now) != _without_cfg(old):
        said.append("their order")
    return said, is_derived


def _without_cfg(words: tuple[str, ...]) -> list[str]:
    """sccache sorts these."""
    return [word for word in words if not word.startswith("--cfg")]


def _environment(now: Mapping[str, str], old: Mapping[str, str], names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Variables that differ, and those that only tell of another place."""
    variables: list[str] = []
    places: list[str] = []
    for name in sorted(names):
        value, was = now.get(name), old.get(name)
        if value == was:
            continue
        is_place = name in _PLACES or name.startswith("CARGO_BIN_EXE_")
        (places if is_place else variables).append(_variable(name, value, was))
    # A version is told four times, and this is the one that says it.
    variables.sort(key=lambda said: not said.startswith("CARGO_PKG_VERSION:"))
    if variables and variables[0].startswith("CARGO_PKG_VERSION:"):
        variables = [said for said in variables if not said.startswith("CARGO_PKG_VERSION_")]
    return variables, places


def _variable(name: str, value: str | None, was: str | None) -> str:
    if was is None:
        return f"{name} is new"
    if value is None:
        return f"{name} is gone"
    if value.startswith("#") or was.startswith("#"):
        return name
    value, was = _unlike(value, was)
    return f"{name}: {value}, was {was}"


def _unlike(one: str, other: str) -> tuple[str, str]:
    """Two paths without the folders that they both end in, two of anything else as they are."""
    if not (one.startswith("/") and other.startswith("/")):
        return one, other
    parts, others = one.split("/"), other.split("/")
    same = 0
    while same < min(len(parts), len(others)) - 2 and parts[-1 - same] == others[-1 - same]:
        same += 1
    if not same:
        return one, other
    return "/".join([*parts[:-same], "…"]), "/".join([*others[:-same], "…"])


def _files(now: Mapping[str, str], old: Mapping[str, str]) -> list[str]:
    """Names whose contents differ; where there are none, those that are new or gone."""
    changed = [name for name, digest in now.items() if digest and old.get(name, digest) not in (digest, "")]
    return [
        *changed,
        *(f"{name} is new" for name in now if name not in old),
        *(f"{name} is gone" for name in old if name not in now),
    ]
