"""Proof of a finding: what it says is done in a scratch world, and then again with what mends it."""

import shlex
from typing import NamedTuple

from core.native.proofs.prove import Prover
from core.native.proofs.prove_setup import Proof
from core.native.proofs.scratch import ScratchError
from core.native.proofs.scratch_edit import touch, write
from core.native.staleness.stale_findings import Found, clean_of
from core.parsers.text import plain

MAX_FILES = 4
"""Of one finding so many are edited."""


class Confirmed(NamedTuple):
    """What was seen."""

    is_true: bool | None
    """It is as the finding says; None: it could not be tried."""
    said: str
    """What was done, and what came of it."""
    is_mended: bool | None = None
    """With the mend it is right; None: there is none, or it was not tried."""
    reasons: tuple[str, ...] = ()
    """Cargo's own words."""


def confirm(proof: Proof, found: Found) -> Confirmed:
    """Try a finding, in the profile that is built."""
    units = {case.script.unit for case in proof.prover.cases}
    trouble = next((one for one in found.each if one.script.unit in units), None)
    if trouble is None:
        words = " ".join(("cargo", *proof.command.argv[1:]))
        return Confirmed(None, f"`{words}` does not run that build script")
    found = found._replace(trouble=trouble)
    match trouble.kind:
        case "undeclared":
            return _with_mend(proof, found, _missed(proof.prover, trouble.paths))
        case "missing" | "loop":
            return _with_mend(proof, found, _endless(proof, found))
        case "skipped":
            return _skipped(proof, found)
        case "unseen":
            return _unseen(proof, found)
        case "new":
            is_idle = trouble.script.unit not in proof.baseline.cold.scripts
            said = "built: its build script did not run" if is_idle else "built: its build script ran"
            return _with_mend(proof, found, Confirmed(is_idle, said))
        case _:
            raise TypeError(trouble.kind)


def _missed(prover: Prover, paths: tuple[str, ...]) -> Confirmed:
    verdicts = [prover.judge(path) for path in paths[:MAX_FILES]]
    tried = [one for one in verdicts if one.outcome not in ("left out", "failed")]
    if not tried:
        return Confirmed(None, verdicts[0].why if verdicts else "no file can be edited")
    missed = [one for one in tried if one.outcome == "untracked"]
    what = "nothing was made again" if len(missed) == len(tried) else "what is made of it was made again"
    count = "" if len(paths) == 1 else f" {len(tried)} of {len(paths)} files, one at a time"
    reasons = tuple(dict.fromkeys(reason for one in tried for reason in one.reasons))
    return Confirmed(len(missed) == len(tried), f"edited and built{count}: {what}", reasons=reasons)


def _endless(proof: Proof, found: Found) -> Confirmed:
    again = proof.baseline.again
    ran = found.trouble.script.unit in again.scripts
    said = f"built twice without an edit: its build script {'ran' if ran else 'did not run'} again"
    return Confirmed(ran, said, reasons=again.reasons)


def _skipped(proof: Proof, found: Found) -> Confirmed:
    trouble, prover = found.trouble, proof.prover
    verdict = prover.judge(trouble.paths[0])
    if verdict.outcome in ("left out", "failed"):
        return Confirmed(None, verdict.why)
    is_true = verdict.outcome == "untracked"
    clean = [proof.command.argv[0], *shlex.split(clean_of(trouble))[1:]]
    proof.scratch.run([*clean, *proof.dirs], proof.command.cwd, proof.command.env)
    built = prover.build()
    is_made = built.code == 0 and set(trouble.outputs) <= built.outputs
    said = "edited and built: " + (verdict.why if is_true else "what is made of it was made again")
    return Confirmed(is_true, said, is_made if is_true else None, verdict.reasons)


def _unseen(proof: Proof, found: Found) -> Confirmed:
    trouble = found.trouble
    is_idle = not set(trouble.outputs) & proof.baseline.cold.outputs
    try:
        touch(proof.scratch, trouble.paths)
    except ScratchError as error:
        return Confirmed(None, str(error))
    built = proof.prover.build()
    is_made = built.code == 0 and set(trouble.outputs) <= built.outputs
    said = "built as it is: " + ("nothing was made again" if is_idle else "it was made again")
    return Confirmed(is_idle, said, is_made if is_idle else None, built.reasons)


def _with_mend(proof: Proof, found: Found, seen: Confirmed) -> Confirmed:
    """The same with the lines of the mend in the script; afterwards they are gone from it."""
    if not seen.is_true or found.mend is None:
        return seen
    try:
        write(proof.scratch, found.mend.path, found.mend.after.encode("utf-8", "surrogateescape"))
    except ScratchError as error:
        return seen._replace(said=f"{seen.said}; {error}")
    built = proof.prover.settle()
    is_mended = built.code == 0 and _is_right(proof, found)
    write(proof.scratch, found.mend.path, found.mend.before.encode("utf-8", "surrogateescape"))
    proof.prover.settle()
    said = (
        seen.said if built.code == 0 else f"{seen.said}; with the mend it does not build: {plain(built.tail.encode())}"
    )
    return seen._replace(is_mended=is_mended, said=said)


def _is_right(proof: Proof, found: Found) -> bool:
    trouble = found.trouble
    if trouble.kind in ("missing", "loop"):
        return trouble.script.unit not in proof.prover.build().scripts
    verdicts = [proof.prover.judge(path) for path in trouble.paths[:MAX_FILES]]
    if trouble.kind == "new":
        return all(trouble.script.unit in one.scripts for one in verdicts)
    return all(one.outcome in ("tracked", "wide") for one in verdicts)
