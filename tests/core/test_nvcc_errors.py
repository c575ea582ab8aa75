"""Errors of calls of nvcc, as the log has them."""

from dataclasses import replace

from core import events as e
from core.events.native import NvccEnded
from core.nvcc_errors import failures
from core.reduce import reduce_run
from core.state import Run


def ended(number: int, source: str, code: int | None = 1, kind: str = "object", signal: int | None = None) -> NvccEnded:
    return NvccEnded(2.0, str(number), "app", source, "", kind, 1.0, 1.0, None, None, code, signal, None, "off", "")


def error(file: str | None, message: str = "x", level: e.Level = "error") -> e.DiagnosticEmitted:
    return e.DiagnosticEmitted(2.0, level, message, None, file, 3, None, f"{file}(3): error: {message}")


def run_of(*events: e.Event) -> Run:
    began = e.RunStarted(0.0, "r", "a", "make", "exec", "make", "/w", "/w", None, False, True, False)
    run = reduce_run(None, [began, *events])
    assert run is not None
    return run


def test_a_call_that_failed_has_the_errors_that_name_its_source_and_no_others() -> None:
    run = run_of(
        error("kernels/k.cu", "one"), error("./kernels/k.cu", "two"), error("../app/kernels/k.cu", "three"),
        error("/w/app/kernels/k.cu", "four"), error("k.cuh"), error(None), error("ernels/k.cu"), error("/kernels/k.cu"),
        error("kernels/k.cu", "five", "warning"), ended(1, "/w/app/kernels/k.cu"),
        ended(2, "/w/app/kernels/good.cu", 0), ended(3, "", None, signal=9),
        ended(4, "/w/app/kernels/k.cu", kind="query"),
    )  # fmt: skip
    found = failures(run)
    assert [(one.call.call, [found.message for found in one.errors]) for one in found] == [
        ("1", ["one", "two", "three", "four"]), ("3", []),
    ]  # fmt: skip


def test_what_a_call_printed_counts_and_the_log_is_not_asked() -> None:
    said = e.CallError("gone", None, "k.cuh", 4, None, "k.cuh(4): error: gone")
    known = replace(ended(1, "/w/k.cu"), errors=(said,))
    silent = replace(ended(2, "/w/k.cu"), errors=())
    assert [one.errors for one in failures(run_of(error("k.cu"), known, silent))] == [(said,), ()]


def test_an_error_that_may_be_of_two_sources_is_of_none() -> None:
    run = run_of(error("k.cu"), error("b/k.cu"), ended(1, "/w/a/k.cu"), ended(2, "/w/b/k.cu"))
    assert [[one.file for one in failure.errors] for failure in failures(run)] == [[], ["b/k.cu"]]
