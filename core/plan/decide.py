"""From what was found and what is wanted to the settings of a build, each with its reason, source and cost. Pure."""

from core.plan.decide_case import Case, case_of, profile_row
from core.plan.decide_linker import linker_row
from core.plan.decide_native import native_settings
from core.plan.decide_profile import profile_settings
from core.plan.decide_rustflags import codegen_settings, rustflags_row, uses_native
from core.plan.decide_scope import cache_row, fetch_row, jobs_row, scope_settings, target_dir_row
from core.plan.findings import find_in
from core.plan.found import Found
from core.plan.plan import Plan, Setting
from core.plan.wish import Wish


def decide(found: Found, wish: Wish) -> Plan:
    """The plan of a build. Without a mode nothing is set that changes a unit's hash; what the user set stays."""
    case = case_of(found, wish)
    settings = _rows(case)
    namespace = found.native_features if uses_native(settings) else ""
    return Plan(wish.mode.name, wish.mode.chosen_by, settings, find_in(case), namespace)


def _rows(case: Case) -> tuple[Setting, ...]:
    """In the order in which people are shown them."""
    linker = linker_row(case)
    codegen = tuple(codegen_settings(case))
    native = tuple(native_settings(case))
    return (
        target_dir_row(case),
        cache_row(case),
        profile_row(case),
        *profile_settings(case),
        linker,
        *codegen,
        rustflags_row(case, (linker, *codegen, *native)),
        jobs_row(case),
        *native,
        *scope_settings(case),
        fetch_row(case),
    )
