"""Settings that defeat one another, or what they are for, as far as configuration and environment show it. Pure."""

from collections.abc import Callable, Iterator

from core.plan import finding_cache, finding_env, finding_flags, finding_nvcc, finding_profile, finding_toolchain
from core.plan.decide_case import Case, case_of
from core.plan.finding_facts import Facts
from core.plan.finding_mask import masked
from core.plan.foreign import short
from core.plan.found import Found
from core.plan.given import Trouble
from core.plan.plan import Evidence, Finding
from core.plan.wish import Wish
from core.run.mask import secrets_of

SEVERITIES = ("error", "warning", "hint")
"""Worst first."""
MAX_TITLE = 90
"""Characters of a title: it stands in a pane."""


def find(found: Found, wish: Wish) -> tuple[Finding, ...]:
    """All that is seen, worst first; of the same severity in the order of `FINDERS`. What concerns another profile than
    the one that is built is not told. No credential is in it.

    Args:
        found: What is there.
        wish: What is to be built.
    """
    return find_in(case_of(found, wish))


def find_in(case: Case) -> tuple[Finding, ...]:
    """The same for a build that is decided on."""
    facts = Facts(case)
    seen = [finding for finder in FINDERS for finding in finder(facts)]
    if seen:
        secrets = secrets_of(dict(case.found.env))
        seen = [masked(finding, secrets) for finding in seen]
    return tuple(sorted(seen, key=lambda finding: SEVERITIES.index(finding.severity)))


def with_mend(finding: Finding, read: Callable[[str], str]) -> Finding:
    """The finding with the diff that mends it, where there is one: to be shown, not to be kept.

    Args:
        finding: As `find` gives it.
        read: Gives the text of a file, line ends as they are; OSError and ValueError mean that it cannot be read.
    """
    if finding.mend or not finding.changes:
        return finding
    from core.plan.mend import diff_of  # with what it needs 8 ms: few findings have one

    return finding._replace(mend=diff_of(finding.changes, read))


def find_troubles(facts: Facts) -> Iterator[Finding]:
    """Files that cannot be read or used."""
    for trouble in facts.found.settings.troubles:
        yield of_trouble(trouble, "What it says is left out, and cargo itself may refuse it.")


def of_trouble(trouble: Trouble, cost: str) -> Finding:
    """Something that cannot be read or used, as a finding."""
    near = trouble._replace(origin=trouble.origin._replace(place=trouble.origin.place.rpartition("/")[2]))
    title = trouble.sentence if len(trouble.sentence) <= MAX_TITLE else near.sentence
    return Finding(
        "settings-unusable", "error", short(title, MAX_TITLE), (Evidence(trouble.origin, trouble.why),), cost
    )


FINDERS: tuple[Callable[[Facts], Iterator[Finding]], ...] = (
    find_troubles, *finding_toolchain.FINDERS, *finding_cache.FINDERS, *finding_nvcc.FINDERS,
    *finding_flags.FINDERS, *finding_profile.FINDERS, *finding_env.FINDERS,
)  # fmt: skip
"""In the order in which findings of the same severity are told."""
