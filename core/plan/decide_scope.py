"""Where it is built, which cache is in front, what is built, and where sources come from. Pure."""

from collections.abc import Iterator

from core.plan.decide_case import Case, has_our_cache, shown
from core.plan.given import Given, Origin
from core.plan.plan import Setting
from core.run.mask import safe_words

_CHOICES = ("package", "workspace", "all", "exclude", "manifest-path")
_FEATURES = ("features", "all-features", "no-default-features")
_MAX_HOPS = 16


def target_dir_row(case: Case) -> Setting:
    """Where it builds: decided before, told here."""
    by = {"user": "user", "private": "deck"}.get(case.wish.target_dir_source, "cargo")
    reason = case.wish.target_dir_reason or ("the checkout's own" if by == "cargo" else "as it is set")
    return Setting("target-dir", shown(case.wish.target_dir or "not known"), by, reason)


def cache_row(case: Case) -> Setting:
    """Which compiler cache is in front: decided before, told here."""
    cache = case.wish.cache
    reason = case.wish.cache_reason or "nobody asks for one"
    if has_our_cache(case):
        return Setting("cache", shown(cache), "deck", reason, "the first edit of a member takes about three times as "
                       "long; programs, proc macros and build scripts are not kept")  # fmt: skip
    return Setting("cache", shown(cache), "cargo" if cache == "none" else "user", reason)


def scope_settings(case: Case) -> Iterator[Setting]:
    """Packages, features and how much is said, where somebody asks."""
    wanted = case.option("packages")
    if wanted is not None:
        yield _packages(case, wanted)
    if case.wish.features is not None:
        yield _features(case, case.wish.features)
    if case.wish.is_verbose is not None:
        yield _verbose(case, case.wish.is_verbose)


def _packages(case: Case, wanted: Given) -> Setting:
    typed = next((name for name in _CHOICES if name in case.wish.options), None)
    if typed is not None:
        names = " ".join(filter(None, case.wish.options[typed])) or typed
        return Setting("packages", shown(names), "user", f"--{typed} on the command line says which",
                       origin=Origin("command line"))  # fmt: skip
    if wanted.value == "all":
        return Setting("packages", "all", "mode", "all that the command line means", origin=wanted.origin)
    changed, reason = case.wish.changed, case.wish.changed_reason
    if changed is None:
        return Setting("packages", "all", "cargo", reason or "it is not known which differ: all are taken")
    if not changed:
        return Setting("packages", "all", "cargo", f"none differs: all are taken{reason and '; ' + reason}")
    flags = tuple(word for name in changed for word in ("--package", name))
    left = "" if wanted.value == "changed+dependants" else "what depends on them is not looked at; "
    cost = f"{left}features may be fewer than with all packages, and then dependencies are compiled once more"
    return Setting("packages", shown(changed), "mode", reason or "their files differ", cost, wanted.origin, flags)


def _features(case: Case, wanted: Given) -> Setting:
    typed = next((name for name in _FEATURES if name in case.wish.options), None)
    if typed is not None:
        return Setting("features", shown(" ".join(filter(None, case.wish.options[typed])) or typed), "user",
                       f"--{typed} on the command line counts more than {wanted.origin.shown}",
                       origin=Origin("command line"))  # fmt: skip
    value = shown(wanted.value)
    if not value.strip():
        return Setting("features", "default", "cargo", f"{wanted.origin.shown} is empty", origin=wanted.origin)
    return Setting("features", value, "user", f"{wanted.origin.shown} asks for them",
                   "other features are other units, beside the plain ones", wanted.origin,
                   ("--features", wanted.value if isinstance(wanted.value, str) else value))  # fmt: skip


def _verbose(case: Case, wanted: Given) -> Setting:
    typed = next((name for name in ("verbose", "quiet") if name in case.wish.options), None)
    if typed is not None:
        return Setting("verbose", "true" if typed == "verbose" else "false", "user", f"--{typed} on the command line",
                       origin=Origin("command line"))  # fmt: skip
    if wanted.value is not True:
        return Setting("verbose", "false", "user", f"{wanted.origin.shown} says so", origin=wanted.origin)
    return Setting("verbose", "true", "user", f"{wanted.origin.shown} asks for it", origin=wanted.origin,
                   flags=("--verbose",))  # fmt: skip


def fetch_row(case: Case) -> Setting:
    """How sources of the registry are had."""
    offline = next((name for name in ("offline", "frozen") if name in case.wish.options), None)
    if offline is not None:
        return Setting("fetch", "offline", "user", f"--{offline} on the command line", origin=Origin("command line"))
    given = case.found.settings.get("net", "offline")
    if given is not None and given.value is True:
        return Setting("fetch", "offline", "user", "net.offline is set: nothing is loaded", origin=given.origin)
    replaced = case.found.settings.get("source", "crates-io", "replace-with")
    if replaced is None:
        return Setting(
            "fetch", "crates.io", "cargo", "what $CARGO_HOME lacks is loaded by the first build that needs it"
        )
    value, reason = _source(case, replaced)
    return Setting("fetch", value, "user", reason, origin=replaced.origin)


def _source(case: Case, replaced: Given) -> tuple[str, str]:
    """What stands at the end of a row of replacements."""
    name, seen = shown(replaced.value), set[str]()
    while name not in seen and len(seen) < _MAX_HOPS:
        seen.add(name)
        further = case.found.settings.get("source", name, "replace-with")
        if further is None:
            break
        name = shown(further.value)
    for kind, word in (("directory", "vendored"), ("local-registry", "local registry"), ("registry", "mirror"),
                       ("git", "git mirror")):  # fmt: skip
        given = case.found.settings.get("source", name, kind)
        if given is not None:
            where = safe_words((shown(given.value),), dict(case.found.env))[0]
            return f"{word} {shown(name)}", f"crates.io is replaced by {where}"
    return f"mirror {shown(name)}", "crates.io is replaced"
