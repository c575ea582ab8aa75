"""A plan, what it rests on and the modes there are, as `--json` prints them."""

from typing import Any

from core.plan.found import Target, Toolchain
from core.plan.given import Trouble
from core.plan.make import Planned
from core.plan.wish import Mode
from tui.cli.plan_modes import Difference
from tui.cli.plan_words import Size


def record(planned: Planned, words: tuple[str, ...], copy: Size | None) -> dict[str, Any]:
    """A plan and what it rests on, as docs/json.md says."""
    plan, wish, found = planned.plan, planned.wish, planned.found
    return {
        "words": list(words), "subcommand": wish.subcommand, "cwd": found.cwd or None, "checkout": found.root or None,
        "mode": plan.mode or None, "mode_origin": plan.mode_origin.shown or None,
        "overruled": overruled_record(planned),
        "settings": [one.record() for one in plan.settings],
        "findings": [{**one.record(), "mend": one.mend} for one in plan.findings],
        "flags": list(plan.flags), "env": dict(plan.env), "namespace": plan.namespace or None,
        "target_dir": wish.target_dir or None, "copy": copy_record(copy),
        "troubles": troubles_record(planned),
        "found": found_record(planned),
    }  # fmt: skip


def copy_record(copy: Size | None) -> dict[str, Any] | None:
    """The folder that would be copied; None: nothing is."""
    return None if copy is None else {"folder": copy.folder, "bytes": copy.size_bytes, "is_whole": copy.is_whole}


def found_record(planned: Planned) -> dict[str, Any]:
    """Toolchain, tools, machine and target."""
    found = planned.found
    machine = found.machine
    return {
        "toolchain": toolchain_record(found.toolchain),
        "tools": [
            {"name": one.name, "path": one.path or None, "version": one.shown or None, "trouble": one.trouble or None}
            for one in found.tools.values()
        ],
        "machine": {
            "system": machine.system, "cores": machine.cores, "usable_cores": machine.usable_cores,
            "cgroup_cores": machine.cgroup_cores, "memory_bytes": machine.memory_bytes or None,
            "cgroup_memory_bytes": machine.cgroup_memory_bytes, "filesystem": machine.filesystem or None,
            "has_reflink": machine.has_reflink,
        },
        "target": _target(found.target),
        "unasked": list(found.unasked),
    }  # fmt: skip


def toolchain_record(chain: Toolchain) -> dict[str, Any]:
    """What compiles."""
    return {
        "name": chain.name or None, "chosen_by": chain.chosen_by.shown or None, "is_installed": chain.is_installed,
        "channel": chain.channel or None, "rustc": _version(chain.rustc), "cargo": _version(chain.cargo),
        "host": chain.host or None, "llvm": _version(chain.llvm), "targets": list(chain.targets),
        "has_cranelift": chain.has_cranelift, "links_with_lld": chain.links_with_lld,
    }  # fmt: skip


def _version(version: tuple[int, ...]) -> str | None:
    return ".".join(map(str, version)) or None


def _target(target: Target | None) -> dict[str, Any] | None:
    if target is None:
        return None
    return {
        "triple": target.triple, "origin": target.origin.shown or None, "has_std": target.has_std,
        "linker": target.linker or None, "is_linker_there": target.is_linker_there,
    }  # fmt: skip


def differences_record(found: list[Difference]) -> list[dict[str, Any]]:
    """What two plans do not agree on; None: the setting is not in that plan."""
    return [
        {"setting": one.name, "before": one.before and one.before.record(), "after": one.after and one.after.record()}
        for one in found
    ]


def modes_record(planned: Planned, modes: tuple[Mode, ...]) -> dict[str, Any]:
    """All modes, and which one is chosen."""
    return {
        "chosen": planned.plan.mode or None, "chosen_by": planned.plan.mode_origin.shown or None,
        "overruled": overruled_record(planned), "troubles": troubles_record(planned),
        "modes": [
            {
                "mode": one.name, "origin": one.chosen_by.shown or None, "about": one.about,
                "options": {name: given.value for name, given in one.options.items()},
            }
            for one in modes
        ],
    }  # fmt: skip


def overruled_record(planned: Planned) -> list[dict[str, Any]]:
    """Places that name another mode and count less."""
    return [{"origin": origin.shown, "mode": name or None} for origin, name in planned.overruled]


def troubles_of(planned: Planned) -> tuple[Trouble, ...]:
    """What cannot be used, each once: of modes, and of cargo's own settings."""
    return tuple(dict.fromkeys((*planned.troubles, *planned.found.settings.troubles)))


def troubles_record(planned: Planned) -> list[dict[str, Any]]:
    """The same for programs."""
    return [
        {"place": one.origin.place, "line": one.origin.line or None, "why": one.why} for one in troubles_of(planned)
    ]
