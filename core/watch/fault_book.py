"""Findings that only a build's own words give: what its settings made fail. No I/O but what the caller passes in."""

from collections.abc import Callable, Iterable

from core.findings import MAX_FINDINGS
from core.plan.given import Origin
from core.plan.plan import Evidence, Finding
from core.values import dataclass
from core.watch.failures import FailureReader, LinkerFault, Refusal
from core.watch.native_failures import NativeFailureReader, NativeFault

LINKER_FAILED, ILLEGAL_INSTRUCTION = "linker-failed", "illegal-instruction"


@dataclass(frozen=True, slots=True)
class Chosen:
    """Of the plan of a run, what may make it fail."""

    linker: str = ""
    """That a mode chose: `mold`; empty: the toolchain's default, or the user's."""
    cpu: str = ""
    """Value of target-cpu; empty: nobody set one."""


Tell = Callable[[NativeFault], Finding]
"""Looks at the files that a failure is about."""


class FaultBook:
    """Takes the bytes of a run's logs; gives each finding once."""

    def __init__(self, chosen: Chosen, told: Iterable[Finding], native: "tuple[str, Tell] | None" = None) -> None:
        """`told`: findings that the journal has. `native`: the run's program, and what makes findings of native
        failures; None: they are not looked for."""
        self._chosen = chosen
        self._native = native
        self._native_readers: dict[str, NativeFailureReader] = {}
        self._findings = tuple(told)
        self._told = {(one.id, one.title) for one in self._findings}
        self._readers: dict[str, FailureReader] = {}
        self._failed_linker = ""

    def read(self, stream: str, chunk: bytes) -> tuple[Finding, ...] | None:
        """All findings of the run, the newest first, where the next bytes of a log add one; None: they add none."""
        reader = self._readers.setdefault(stream, FailureReader(has_linker_of_ours=bool(self._chosen.linker)))
        found = [self._finding(fault) for fault in reader.feed(chunk)]
        if self._native is not None:
            program, tell = self._native
            found += map(tell, self._native_readers.setdefault(stream, NativeFailureReader(program)).feed(chunk))
        return self.add(found)

    def close(self) -> tuple[Finding, ...] | None:
        """The logs are over; as `read`."""
        left = (fault for reader in self._native_readers.values() for fault in reader.close())
        return self.add(self._native[1](fault) for fault in left) if self._native is not None else None

    def died(self, name: str) -> tuple[Finding, ...] | None:
        """The run's own command died of SIGILL, or the program that it had become; as `read`."""
        running = next((reader.running for reader in self._readers.values() if reader.running), "")
        return self.add([self._finding(Refusal(running or name))])

    def take_linker(self) -> str:
        """A linker of ours that failed since the last call; empty: none did."""
        failed, self._failed_linker = self._failed_linker, ""
        return failed

    def add(self, found: Iterable[Finding]) -> tuple[Finding, ...] | None:
        """Take what was found elsewhere; as `read`."""
        before = self._findings
        for one in found:
            if (one.id, one.title) in self._told or len(self._findings) >= MAX_FINDINGS:
                continue
            self._told.add((one.id, one.title))
            self._findings = (one, *self._findings)
            if one.id == LINKER_FAILED:
                self._failed_linker = self._chosen.linker
        return self._findings if self._findings is not before else None

    def _finding(self, fault: LinkerFault | Refusal) -> Finding:
        match fault:
            case LinkerFault(said):
                return linker_finding(self._chosen.linker, said)
            case Refusal(name):
                return illegal_finding(name, self._chosen.cpu)
            case _:
                raise TypeError(fault)


def linker_finding(linker: str, said: str) -> Finding:
    """A linker that a mode chose failed by its own doing."""
    return Finding(
        LINKER_FAILED, "error", f"{linker} failed a link; the next build goes with the toolchain's own linker",
        (Evidence(Origin("log"), said),),
        "this build; the one after it compiles once more, because flags of the linker are part of each unit's hash",
        "cargo deck tools",
    )  # fmt: skip


def illegal_finding(name: str, cpu: str) -> Finding:
    """A process died of SIGILL; `cpu`: value of target-cpu, empty where nobody set one."""
    who = name or "a process"
    if cpu:
        why = f"it was built for target-cpu={cpu}: this processor, or this virtual machine, lacks an instruction of it"
        mend = "cargo clean, then build without target-cpu, or with x86-64-v2"
    else:
        why = "nobody set target-cpu: assembly in it, an abort by trap (ud2), or objects from another machine"
        mend = ""
    place = Evidence(Origin("log"), "signal 4, SIGILL")
    return Finding(ILLEGAL_INSTRUCTION, "error", f"{who} died of an illegal instruction (SIGILL)", (place,), why, mend)
