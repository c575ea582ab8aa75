import random
from collections.abc import Iterable

from core.events.native import Kernel, Phase
from core.native.kernels.usage import Usage, parse_usage
from tests.core.cubins import said_of
from tests.nvcc_times import parse_times

_OLD = """\
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function '_Z6kernelPf' for 'sm_20'
ptxas info    : Function properties for _Z6kernelPf
    8 bytes stack frame, 4 bytes spill stores, 12 bytes spill loads
ptxas info    : Used 63 registers, 1024+16 bytes smem, 72+8 bytes cmem[0], 8 bytes cmem[2]
"""


def usages(lines: Iterable[str]) -> list[Usage]:
    return list(parse_usage(lines))


def test_the_form_of_old_toolkits_is_read() -> None:
    kernel = Kernel("_Z6kernelPf", "sm_20", 63, 4, 12, 8, 1040, 88, None)
    assert usages(_OLD.splitlines()) == [Usage(kernel, "_Z6kernelPf")]
    assert usages(_OLD.splitlines(keepends=True)) == [Usage(kernel, "_Z6kernelPf")]


def test_barriers_times_and_functions_that_are_no_entries_are_told_apart() -> None:
    found = {usage.kernel.name: usage for usage in usages(said_of("sm_80-13.0"))}
    assert {name: usage.entry for name, usage in found.items()} == {
        "_Z5callsPfPKfi": "_Z5callsPfPKfi", "_Z3farPKfi": "_Z5callsPfPKfi", "_Z4tilePfPKf": "_Z4tilePfPKf",
        "_Z5heavyILi20EEvPfPKf": "_Z5heavyILi20EEvPfPKf",
    }  # fmt: skip
    tile, far = found["_Z4tilePfPKf"].kernel, found["_Z3farPKfi"].kernel
    assert (tile.registers, tile.barriers, tile.shared_bytes, tile.constant_bytes) == (12, 1, 1024, 368)
    assert tile.compile_s is not None
    assert (far.registers, far.stack_bytes, far.compile_s) == (None, 0, None)
    assert far.spill_store_bytes is not None


def test_several_archs_follow_one_another() -> None:
    found = usages([*said_of("sm_80-13.0"), *said_of("sm_100-13.0")])
    assert [usage.kernel.arch for usage in found if usage.is_entry] == ["sm_80"] * 3 + ["sm_100"] * 3


def test_other_lines_between_them_are_passed_over() -> None:
    said = said_of("sm_100-13.0")
    noise = ["nvcc warning : Support for offline compilation", "", "k.cu(3): error: x", "\x00\xff", "    9 bytes stack"]
    mixed = [line for pair in zip(said, noise * len(said), strict=False) for line in pair]
    assert usages(mixed) == usages(said)


def test_text_that_is_damaged_raises_nothing() -> None:
    rng, said = random.Random(3), "\n".join(said_of("sm_80-13.0"))
    for _ in range(300):
        letters = list(said)
        for _ in range(rng.randint(1, 60)):
            letters[rng.randrange(len(letters))] = chr(rng.randrange(1, 0x250))
        for usage in usages("".join(letters).splitlines()):
            assert usage.kernel.name
    assert (
        usages(
            ["ptxas info    : Used 12 registers", "    1 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads"]
        )
        == []
    )
    assert usages(["ptxas info : Compiling entry function 'k' for 'sm_90'" + "x" * 10_000_000]) != []


_TIMES = """\
source file name , phase name , phase input files , phase output file , arch , tool, metric , unit
k.cu , gcc (preprocessing 4) , k.cu  , /tmp/k.cpp4.ii ,  , nvcc , 145.4010 , ms
k.cu , cudafe++ , /tmp/k.cpp4.ii  , /tmp/k.cudafe1.cpp , compute_100 , nvcc , 513.7600 , ms
k.cu , ptxas , /tmp/k.ptx  , /tmp/k.cubin , sm_90a , nvcc , 70.5190 , ms
 , nvcc (driver) ,  , k.o ,  , nvcc , 0.8826 , ms
"""


def phases(text: str) -> list[Phase]:
    return list(parse_times(text.splitlines()))


def test_the_rows_of_nvcc_time_are_read() -> None:
    assert phases(_TIMES) == [
        Phase("gcc (preprocessing 4)", None, 0.145401, source="k.cu"),
        Phase("cudafe++", "compute_100", 0.51376, source="k.cu"),
        Phase("ptxas", "sm_90a", 0.070519, source="k.cu"),
        Phase("nvcc (driver)", None, 0.0008826),
    ]


def test_commas_and_blanks_in_names_of_files_move_no_field() -> None:
    row = "a , b, c.cu , ptxas , /tmp/x , y.ptx  , /tmp/x , y.cubin , sm_90 , nvcc , 70.5190 , ms"
    assert phases(row) == [Phase("ptxas", "sm_90", 0.070519, source="a , b, c.cu")]


def test_rows_that_are_torn_or_say_no_time_are_passed_over() -> None:
    for end in range(len(_TIMES)):
        whole = _TIMES[:end].count(" , ms")
        assert len(phases(_TIMES[:end])) == whole
    for took in ("", "-1", "nan", "inf", "1e999", "x", "1.2.3"):
        assert phases(f"k.cu , cicc , a , b , compute_90 , nvcc , {took} , ms") == []
