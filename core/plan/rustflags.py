"""Which one of the places that name rustflags cargo takes. Pure.

Source: cargo 1.95, `TargetInfo`, `extra_args`: `CARGO_ENCODED_RUSTFLAGS`, else `RUSTFLAGS`, else `target.*`, else
`build`. The first that is there is taken, the others are dropped.
"""

from collections.abc import Mapping

from core.plan.cfg import facts_of, holds
from core.plan.given import Key, Settings
from core.plan.settings import flags_of

_NAME = "rustflags"


def effective_rustflags(
    settings: Settings, env: Mapping[str, str], triple: str, host: str
) -> tuple[Key, tuple[str, ...] | None]:
    """The key that counts, and the flags that rustc gets for what is built.

    `triple`: of `--target`, or `build.target`; empty: none is asked for. The key is empty where nobody named flags; of
    several `target.*` it is the first one's. None for the flags: a `cfg(…)` cannot be told from the triple.
    With a triple, build scripts and procedural macros get none of them.
    """
    for name in ("CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS"):
        given = settings.get(name)
        if given is not None:
            return (name,), flags_of(given)
        if name in env:
            text = env[name]
            words = tuple(text.split("\x1f")) if "ENCODED" in name and text else tuple(text.split())
            return (name,), words
    found = _of_targets(settings, triple or host)
    if found is not None:
        return found
    built = settings.get("build", _NAME)
    return (("build", _NAME), flags_of(built)) if built is not None else ((), ())


def _of_targets(settings: Settings, triple: str) -> tuple[Key, tuple[str, ...] | None] | None:
    """Of `target.TRIPLE`, then of each `target.'cfg(…)'` that holds, by name; None: none has flags."""
    keys = [key for key in settings.values if len(key) == 3 and key[0] == "target" and key[2] == _NAME]
    facts = facts_of(triple)
    first: Key = ()
    flags: list[str] = []
    is_known = True
    for key in sorted(keys, key=lambda key: (key[1] != triple, key[1])):
        words = flags_of(settings.values[key])
        if not words or (key[1] != triple and not key[1].startswith("cfg(")):
            continue
        applies = True if key[1] == triple else holds(key[1], facts)
        if applies:
            flags += words
        is_known &= applies is not None
        first = first or (key if applies is not False else ())
    if not first:
        return None
    return first, tuple(flags) if is_known else None
