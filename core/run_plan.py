"""How a run was started, and the plan that it had: what `run.json` says, and what the engine added to it."""

from collections.abc import Mapping
from dataclasses import field, replace
from types import MappingProxyType
from typing import Any

from core.facts import LATE_PLAN
from core.findings import from_record
from core.paths import Paths
from core.plan.figures import whole_cost
from core.plan.plan import Finding
from core.plan.small_file import read_object
from core.values import dataclass


@dataclass(frozen=True, slots=True)
class Setting:
    """A decision of cargo-deck about a run."""

    setting: str
    value: str
    reason: str
    by: str = ""
    """`cargo`, `user`, `mode`, `deck`; empty: an older version made it, and it was ours."""
    cost: str = ""
    origin: str = ""
    """Where it stands: `/x/.cargo/config.toml:4`, `mode dev`; empty: nowhere."""
    flags: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Launch:
    """What was really executed."""

    argv: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    """Names of variables that were added."""
    unset: tuple[str, ...] = ()
    path_front: tuple[str, ...] = ()
    wrappers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """How a run was started, from `run.json`."""

    settings: tuple[Setting, ...] = ()
    mode: str = ""
    """Empty: none was chosen."""
    mode_origin: str = ""
    """Who chose it: `--mode`, `DECK_MODE`, or a file; empty: not known."""
    findings: tuple[Finding, ...] = ()
    """Worst first."""
    launch: Launch = Launch()
    target_dir: str | None = None
    target_source: str = ""
    """`default`, `user`, `private`; empty: not known."""
    typed: tuple[str, ...] = ()
    is_masked: bool = False
    """Words that hold a credential are not recorded."""
    env: Mapping[str, str | None] = field(default_factory=lambda: MappingProxyType({}))
    """The caller's environment; None: a value that is not recorded."""


def read_plan(paths: Paths, run: str) -> Plan:
    """How a run was started; an empty plan where `run.json` cannot be read. What was planned while it ran is in it, and
    so is what was measured of settings of ours; diffs that mend findings are not (`core.plan.mended`)."""
    record = read_object(paths.run(run) + "/run.json")
    plan = plan_of({**record, **read_object(f"{paths.run(run)}/{LATE_PLAN}")} if record else {})
    return replace(plan, settings=tuple(map(_with_figure, plan.settings)))


def _with_figure(setting: Setting) -> Setting:
    if not setting.flags and not setting.env:
        return setting
    return replace(setting, cost=whole_cost(setting.setting, setting.value, setting.cost))


def plan_of(record: Mapping[str, Any]) -> Plan:
    """What `run.json` says of how a run was started."""
    target, settings, env = record.get("target_dir"), record.get("plan"), record.get("env")
    launch = record.get("launch")
    kept = {str(k): v if isinstance(v, str) else None for k, v in env.items()} if isinstance(env, dict) else {}
    return Plan(
        settings=tuple(_setting(one) for one in settings if isinstance(one, dict))
        if isinstance(settings, list)
        else (),
        mode=_text(record.get("mode")),
        mode_origin=_text(record.get("mode_origin")),
        findings=from_record(record.get("findings")),
        launch=_launch(launch) if isinstance(launch, dict) else Launch(),
        target_dir=target if isinstance(target, str) else None,
        target_source=str(record.get("target_source") or ""),
        typed=_words(record.get("typed")),
        is_masked=bool(record.get("is_masked")),
        env=MappingProxyType(kept),
    )


def _setting(one: Mapping[str, Any]) -> Setting:
    env = one.get("env")
    return Setting(
        setting=str(one.get("setting") or ""),
        value=str(one.get("value") or ""),
        reason=str(one.get("reason") or ""),
        by=_text(one.get("by")),
        cost=_text(one.get("cost")),
        origin=_text(one.get("origin")),
        flags=_words(one.get("flags")),
        env=tuple((str(name), str(value)) for name, value in env.items()) if isinstance(env, dict) else (),
    )


def _launch(launch: Mapping[str, Any]) -> Launch:
    env = launch.get("env")
    return Launch(
        argv=_words(launch.get("argv")),
        env=tuple(sorted(map(str, env))) if isinstance(env, dict) else (),
        unset=_words(launch.get("unset")),
        path_front=_words(launch.get("path_front")),
        wrappers=_words(launch.get("wrappers")),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _words(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()
