"""What was decided for a build, and what was seen to stand in its way. Pure values."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from core.plan.given import Origin


class Setting(NamedTuple):
    """One decision."""

    name: str
    """As in `core.plan.modes.OPTIONS`, or `target-dir`, `cache`, …"""
    value: str
    """As a person would write it; what cargo does by itself is said in the same words."""
    by: str
    """Whose decision: `cargo` (its default), `user` (file, variable, flag), `mode`, `deck` (ours without a mode)."""
    reason: str
    """Why; where a user's own setting defeats a gain, which one."""
    cost: str = ""
    """What it takes and gives, measured where it says so; empty: nothing."""
    origin: Origin = Origin("")
    """Where the user's or the mode's value stands; empty: nowhere."""
    flags: tuple[str, ...] = ()
    """For cargo, after the subcommand."""
    env: tuple[tuple[str, str], ...] = ()
    """Never `CARGO_…`: that enters the keys of caches."""

    @property
    def is_ours(self) -> bool:
        """Cargo or a tool is told something that it would not have been told."""
        return bool(self.flags or self.env)

    def record(self) -> dict[str, Any]:
        """For `run.json` and JSON output."""
        return {
            "setting": self.name, "value": self.value, "by": self.by, "reason": self.reason, "cost": self.cost,
            "origin": self.origin.shown, "flags": list(self.flags), "env": dict(self.env),
        }  # fmt: skip


class Evidence(NamedTuple):
    """A place, and what it says."""

    origin: Origin
    value: str

    @property
    def shown(self) -> str:
        """`.cargo/config.toml:4 says rustc-wrapper = "sccache"`."""
        return f"{self.origin.shown} says {self.value}"


class Change(NamedTuple):
    """One key of one TOML file, as it should be."""

    path: str
    """Absolute."""
    key: tuple[str, ...]
    value: Any = None
    """None: the key goes away."""
    base: str = ""
    """Folder that the diff's names start from; empty: that of the file."""

    def record(self) -> dict[str, Any]:
        """For `run.json`; not under `key`, which is a credential's name and would be masked there."""
        return {"path": self.path, "setting": list(self.key), "value": self.value, "base": self.base}


class Finding(NamedTuple):
    """Settings that defeat one another, or what they are for."""

    id: str
    """Stable: `sccache-incremental`."""
    severity: str
    """`error` (the build will fail, or be wrong), `warning` (it costs), `hint`."""
    title: str
    """One sentence, in a colleague's words."""
    evidence: tuple[Evidence, ...] = ()
    cost: str = ""
    """What it costs, and whether that is measured."""
    mend: str = ""
    """A command, or where it is shown a unified diff of the file to change; empty: there is none to offer."""
    changes: tuple[Change, ...] = ()
    """What `core.plan.findings.with_mend` makes the diff of where it is shown, in this order."""

    @property
    def command(self) -> str:
        """What mends it, where that is no diff: a diff holds lines of a person's files, and is nowhere kept."""
        return "" if "\n" in self.mend else self.mend

    def record(self) -> dict[str, Any]:
        """For `run.json` and JSON output."""
        places = [{"place": e.origin.place, "line": e.origin.line or None, "value": e.value} for e in self.evidence]
        return {
            "id": self.id, "severity": self.severity, "title": self.title, "evidence": places, "cost": self.cost,
            "mend": self.command, "changes": [one.record() for one in self.changes],
        }  # fmt: skip


class Plan(NamedTuple):
    """All that was decided for one build."""

    mode: str = ""
    mode_origin: Origin = Origin("")
    settings: tuple[Setting, ...] = ()
    findings: tuple[Finding, ...] = ()
    """Worst first."""
    namespace: str = ""
    """Where objects depend on more than their command line says (`target-cpu=native`): what to tell them apart by."""

    @property
    def flags(self) -> tuple[str, ...]:
        """For cargo, in the order of the settings."""
        return tuple(flag for setting in self.settings for flag in setting.flags)

    @property
    def env(self) -> tuple[tuple[str, str], ...]:
        """Variables to add."""
        return tuple(pair for setting in self.settings for pair in setting.env)

    @property
    def ours(self) -> Iterator[Setting]:
        """Settings that tell cargo something."""
        return (setting for setting in self.settings if setting.is_ours)
