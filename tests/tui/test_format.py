import pytest

from tui import format as f


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (-3.0, "0:00"), (48.9, "0:48"), (725, "12:05"), (3723, "1:02:03"), (360000, "100:00:00")],
)
def test_spans_read_like_a_clock(seconds: float | None, text: str) -> None:
    assert f.duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(None, "–"), (999, "999 B"), (1_000, "1.0 K"), (999_600, "1.0 M"), (1.34e9, "1.3 G"), (1.42e10, "14 G")],
)  # fmt: skip
def test_sizes_have_two_digits_or_three(count: float | None, text: str) -> None:
    assert f.size(count) == text


def test_shares_and_counts() -> None:
    assert [f.percent(share) for share in (0.844, 1, None)] == ["84 %", "100 %", "–"]
    assert [f.many(count, "error") for count in (0, 1, 2)] == ["0 errors", "1 error", "2 errors"]


@pytest.mark.parametrize("width", range(0, 14))
@pytest.mark.parametrize("text", ["", "short", "a longer name", "日本語のパス", "e\u0301tude/日本"])
def test_what_is_cut_fits_and_what_is_fitted_fills(text: str, width: int) -> None:
    assert f.cell_len(f.cut_name(text, width)) <= width
    assert f.cell_len(f.cut_path(text, width)) <= width
    assert f.cell_len(f.fit(text, width)) == width


def test_names_lose_their_end_and_paths_their_beginning() -> None:
    assert f.cut_name("serde_json", 6) == "serde…"
    assert f.cut_path("/home/ada/src/engine", 10) == "…rc/engine"
    assert f.cut_path("/srv", 10) == "/srv"


def test_signs_have_a_plain_form_of_the_same_width() -> None:
    text = "● building ≈0:48 · …/src – ✓"
    assert f.ascii_only(text) == "* building ~0:48 - ~/src - +"
    assert f.ascii_only("crate_ñ") == "crate_?"
