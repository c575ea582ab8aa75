"""What is decided for a build before it starts: where it builds, which cache, and the plan where there is one."""

import gc
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from core.errors import UsageError
from core.paths import Paths
from core.run import cache, target
from core.run.command import Command, is_planned_first

if TYPE_CHECKING:
    from core.plan.make import Prepared


MAX_NOTICE = 500
"""Characters of one sentence that is said before a build."""


WITHOUT_MODE = "this command line is run as plain cargo runs it: without the mode {!r}"


class Decided(NamedTuple):
    """What a build gets beside what was typed."""

    target: target.Target
    cached: cache.Chosen
    flags: tuple[str, ...]
    """For cargo."""
    env: tuple[tuple[str, str], ...]
    notices: tuple[str, ...]
    """To be said before the build's own words."""
    record: dict[str, Any]
    """For `run.json`."""


def decide_run(paths: Paths, run: str, command: Command, agent: str, checkout: str, mode: str | None) -> Decided:
    """Decide it; a private target dir is made, a cache server runs when this returns. Where planning itself fails,
    whatever the reason, the build goes plain.

    `mode`: value of `--mode`.

    Raises:
        UsageError: `mode` names none.
    """
    try:
        if is_planned_first(command, mode):
            return _planned(paths, run, command, agent, checkout, mode)
    except UsageError:
        raise
    except Exception as error:
        return _unplanned(_plain(paths, run, command, agent, checkout), error)
    return _plain(paths, run, command, agent, checkout)


def _plain(paths: Paths, run: str, command: Command, agent: str, checkout: str) -> Decided:
    """Without a plan: it is made while the build runs."""
    where = _choose(paths, run, command, agent, checkout, None)
    cached = _cache(paths, command, agent, None)
    return Decided(where, cached, cached.flags, cached.env, cached.notices, brief_record(where, cached))


def _unplanned(plain: Decided, error: Exception) -> Decided:
    """The same, saying why there is no plan, here and on record."""
    said = " ".join(f"{type(error).__name__}: {error}".split())
    why = f"this build could not be planned, and goes plain: {said}"[:MAX_NOTICE]
    finding = {"id": "not-planned", "severity": "warning", "title": why, "evidence": [], "cost": "", "mend": ""}
    return plain._replace(notices=(why, *plain.notices), record={**plain.record, "findings": [finding]})


def _planned(paths: Paths, run: str, command: Command, agent: str, checkout: str, mode: str | None) -> Decided:
    load_plans()
    from core.plan import make

    prepared = make.prepare(paths, command, flag=mode, may_ask=True)
    where = _choose(paths, run, command, agent, checkout, prepared)
    cached = _cache(paths, command, agent, prepared)
    planned = make.finish(prepared, where, cached)
    lost = () if command.takes_flags or not mode or mode == "none" else (WITHOUT_MODE.format(mode[:60]),)
    return Decided(
        where, cached, (*cached.flags, *planned.plan.flags), (*cached.env, *planned.plan.env),
        (*lost, *planned.notices, *cached.notices), planned.record,
    )  # fmt: skip


def load_plans() -> None:
    """Import what plans: all of it stays, so that to look for garbage meanwhile takes 1.5 of 13 ms for nothing."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        import core.plan.make  # noqa: F401
    finally:
        if was_enabled:
            gc.enable()


def brief_record(where: target.Target, cached: cache.Chosen) -> dict[str, Any]:
    """For `run.json`, of a build whose plan is made while it runs: `is_planned` is false."""
    by = {"user": "user", "private": "deck"}.get(where.source, "cargo")
    caches = "deck" if cached.server else "cargo" if cached.value == "none" else "user"
    rows = [("target-dir", where.path, by, where.reason), ("cache", cached.value, caches, cached.reason)]
    told = [
        {"setting": name, "value": value, "by": by, "reason": why} for name, value, by, why in rows if value and why
    ]
    return {"is_planned": False, "mode": None, "plan": told, "findings": []}


def own_target(command: Command) -> target.Target:
    """The target dir that plain cargo would use."""
    parsed, settings = command.parsed, command.config
    given = parsed.value("target-dir")
    if given:
        path = os.path.normpath(os.path.join(command.cwd, given))
        return target.Target(path, "user", "--target-dir was given")
    if settings.target_dir:
        return target.Target(settings.target_dir, "user", "CARGO_TARGET_DIR or build.target-dir is set")
    if not command.root or parsed.command is None:
        return target.Target(None, "none", "")
    return target.Target(command.root + "/target", "default", "cargo's own")


def _choose(
    paths: Paths, run: str, command: Command, agent: str, checkout: str, prepared: "Prepared | None"
) -> target.Target:
    """Where the run builds: only what nobody set is ours to choose."""
    own = own_target(command)
    if own.source != "default" or own.path is None:
        return own
    subject = target.Subject(agent, checkout, own.path)
    try:
        return target.choose_target(paths, run, prepared.subject(agent, checkout, own.path) if prepared else subject)
    except OSError:
        return own  # no private dir can be made: share and wait, as plain cargo would


def _cache(paths: Paths, command: Command, agent: str, prepared: "Prepared | None") -> cache.Chosen:
    """The compiler cache of a build; none for what compiles nothing, or takes no flags of ours."""
    if not command.takes_flags:
        return cache.Chosen()
    return cache.choose_cache(
        paths, agent, command.config, command.env, root=command.root,
        given=command.parsed.options.get("config", ()), asked=prepared.cache_asked if prepared else None,
        namespace=prepared.namespace if prepared else "",
    )  # fmt: skip
