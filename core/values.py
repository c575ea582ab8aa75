"""Dataclasses that are frozen for whoever writes code, and cheap to define: 0.3 ms each instead of 0.55.

Sixty of them are defined before the dashboard's first paint and at each start of the engine. What refuses an assignment
at run time is half of that cost, and makes each instance twice as dear; here mypy refuses it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:
    import dataclasses

    def dataclass(*, frozen: bool, eq: bool = True, **options: bool) -> Any:
        """As `dataclasses.dataclass`; `frozen` is checked by mypy alone."""
        return dataclasses.dataclass(eq=eq, unsafe_hash=frozen and eq, **options)
