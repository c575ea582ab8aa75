"""Findings without credentials. Pure."""

from collections.abc import Sequence
from typing import Any

from core.plan.plan import Change, Evidence, Finding
from core.run.mask import MASK, is_credential, safe_text


def masked(finding: Finding, secrets: Sequence[str] = ()) -> Finding:
    """The finding with `***` for credentials. A command that has one is none that could be followed: it is left out.

    Args:
        finding: With a diff, too: none that `core.plan.mend` makes has a credential.
        secrets: Values that must not be written, as `core.run.mask.secrets_of` gives them.
    """
    return finding._replace(
        title=safe_text(finding.title, secrets),
        evidence=tuple(_evidence(one, secrets) for one in finding.evidence),
        cost=safe_text(finding.cost, secrets),
        mend=finding.mend if safe_text(finding.mend, secrets) == finding.mend else "",
        changes=tuple(_change(one, secrets) for one in finding.changes),
    )


def is_secret_key(key: tuple[str, ...]) -> bool:
    """What stands under it is a credential; names of crates and profiles do not say so."""
    return any(map(is_credential, key[-1:] if key[:1] == ("profile",) else key))


def _evidence(one: Evidence, secrets: Sequence[str]) -> Evidence:
    is_secret = one.origin.is_variable and is_credential(one.origin.place)
    return one._replace(value=MASK if is_secret else safe_text(one.value, secrets))


def _change(one: Change, secrets: Sequence[str]) -> Change:
    key = tuple(safe_text(word, secrets) for word in one.key)
    is_secret = one.value is not None and is_secret_key(one.key)
    return one._replace(key=key, value=MASK if is_secret else _value(one.value, secrets))


def _value(value: Any, secrets: Sequence[str]) -> Any:
    if isinstance(value, str):
        return safe_text(value, secrets)
    return [_value(one, secrets) for one in value] if isinstance(value, list | tuple) else value
