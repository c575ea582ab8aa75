"""The few of cargo's own settings that decide what a caller sees: aliases, `term`, target dir, runners.

Config files are read as bytes first; TOML is parsed (12 ms) only where one of the words stands in them.
Source: cargo book, "Configuration", hierarchical structure.
"""

import os
from typing import Any, NamedTuple

_WORDS = (b"alias", b"term", b"target-dir", b"build-dir", b"runner", b"rustc-wrapper", b"incremental")


class CargoConfig(NamedTuple):
    """Merged over the hierarchy, nearest first; environment variables win over files."""

    aliases: dict[str, tuple[str, ...]]
    quiet: bool
    color: str | None
    """`always`, `never`, `auto`; None: not set."""
    progress: str | None
    """`always`, `never`, `auto`; None: not set."""
    target_dir: str | None
    """Absolute."""
    has_runner: bool
    """Somewhere a `runner` is configured."""
    rustc_wrapper: str | None
    """Empty: a variable or a file says that there is none, whatever else does."""
    incremental: bool | None = None
    """None: nobody set it but the profiles."""
    is_incremental_forced: bool = False
    """A variable did: a compiler cache sees it too."""
    build_dir: str | None = None
    """Absolute; None: not set, or made of parts that cargo fills in, as `{workspace-path-hash}`."""


def read_config(cwd: str, env: dict[str, str], home: str) -> CargoConfig:
    """What applies to a cargo started in `cwd`. A file that cannot be read or parsed says nothing (cargo itself
    will complain about it in its own words)."""
    tables = [table for path in config_files(cwd, env, home) if (table := _table(path)) is not None]
    aliases: dict[str, tuple[str, ...]] = {}
    for _, table in reversed(tables):
        for name, value in _dict(table.get("alias")).items():
            aliases[name] = tuple(value.split()) if isinstance(value, str) else tuple(map(str, value))
    for name, value in env.items():
        if name.startswith("CARGO_ALIAS_"):
            aliases[name[12:].lower().replace("_", "-")] = tuple(value.split())
    forced = env.get("CARGO_INCREMENTAL") or env.get("CARGO_BUILD_INCREMENTAL")
    incremental = _first(tables, "build", "incremental")
    return CargoConfig(
        aliases=aliases,
        quiet=_truth(env.get("CARGO_TERM_QUIET"), _first(tables, "term", "quiet")),
        color=env.get("CARGO_TERM_COLOR") or _text(_first(tables, "term", "color")),
        progress=env.get("CARGO_TERM_PROGRESS_WHEN") or _text(_first(tables, "term", "progress", "when")),
        target_dir=_target_dir(tables, env, cwd),
        has_runner=any(_has_runner(table) for _, table in tables)
        or any(name.startswith("CARGO_TARGET_") and name.endswith("_RUNNER") for name in env),
        rustc_wrapper=_wrapper(tables, env),
        incremental=forced in ("1", "true") if forced else incremental if isinstance(incremental, bool) else None,
        is_incremental_forced=bool(forced),
        build_dir=_build_dir(tables, env, cwd),
    )


def config_files(cwd: str, env: dict[str, str], home: str) -> list[str]:
    """Existing config files, nearest first, `$CARGO_HOME` last."""
    folders = []
    folder = cwd
    while True:
        folders.append(folder + "/.cargo")
        parent = os.path.dirname(folder)
        if parent == folder:
            break
        folder = parent
    cargo_home = env.get("CARGO_HOME") or home + "/.cargo"
    if cargo_home not in folders:
        folders.append(cargo_home)
    found = []
    for folder in folders:
        for name in ("/config", "/config.toml"):
            if os.path.isfile(folder + name):
                found.append(folder + name)
                break
    return found


def _table(path: str) -> tuple[str, dict[str, Any]] | None:
    try:
        with open(path, "rb") as file:
            content = file.read(1 << 20)
        if not any(word in content for word in _WORDS):
            return None
        import tomllib

        return path, tomllib.loads(content.decode())
    except (OSError, ValueError):
        return None


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _first(tables: list[tuple[str, dict[str, Any]]], *keys: str) -> Any:
    for _, table in tables:
        value: Any = table
        for key in keys:
            value = _dict(value).get(key)
        if value is not None:
            return value
    return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _truth(env: str | None, value: Any) -> bool:
    return env == "true" if env is not None else value is True


def _wrapper(tables: list[tuple[str, dict[str, Any]]], env: dict[str, str]) -> str | None:
    """The nearest one that is set. Source: cargo 1.95, `GlobalContext::load_global_rustc`."""
    named = (env.get("RUSTC_WRAPPER"), env.get("CARGO_BUILD_RUSTC_WRAPPER"))
    return next((one for one in named if one is not None), _text(_first(tables, "build", "rustc-wrapper")))


def _target_dir(tables: list[tuple[str, dict[str, Any]]], env: dict[str, str], cwd: str) -> str | None:
    given = env.get("CARGO_TARGET_DIR") or env.get("CARGO_BUILD_TARGET_DIR")
    if given:
        return os.path.normpath(os.path.join(cwd, given))
    return _dir_of(tables, "target-dir")


def _build_dir(tables: list[tuple[str, dict[str, Any]]], env: dict[str, str], cwd: str) -> str | None:
    given = env.get("CARGO_BUILD_BUILD_DIR")
    found = os.path.normpath(os.path.join(cwd, given)) if given else _dir_of(tables, "build-dir")
    return None if found is None or "{" in found else found


def _dir_of(tables: list[tuple[str, dict[str, Any]]], key: str) -> str | None:
    """Of `[build]`; relative to the folder that holds the config's own."""
    for path, table in tables:
        value = _dict(table.get("build")).get(key)
        if isinstance(value, str):
            base = os.path.dirname(os.path.dirname(path))
            return os.path.normpath(os.path.join(base, value))
    return None


def _has_runner(table: dict[str, Any]) -> bool:
    return any("runner" in _dict(value) for value in _dict(table.get("target")).values())
