from dataclasses import dataclass

import pytest

from core.events.native import Kernel
from core.native.kernels.cubin import Cubin
from core.native.kernels.kept import Image, images_of, ptx_of, source_of
from core.native.kernels.ptx import read_ptx, target_of
from core.native.kernels.spills import needs_ptxas, ptxas_argv, ptxas_of, with_usage, without_stack
from core.native.kernels.usage import parse_usage
from tests.core.cubins import FOLDER, NAMES, cubin_of, said_of


@pytest.mark.parametrize("name", NAMES)
def test_spills_and_times_are_those_that_ptxas_tells(name: str) -> None:
    said = {usage.kernel.name: usage.kernel for usage in parse_usage(said_of(name)) if usage.is_entry}
    for kernel in with_usage(cubin_of(name), parse_usage(said_of(name)), cubin_of(name)):
        told = said[kernel.name]
        assert (kernel.spill_store_bytes, kernel.spill_load_bytes) == (told.spill_store_bytes, told.spill_load_bytes)
        assert kernel.compile_s == told.compile_s


def test_a_kernel_without_a_stack_spills_nothing_without_anybody_asked() -> None:
    found = {kernel.name: kernel.spill_store_bytes for kernel in without_stack(cubin_of("sm_80-13.0"))}
    assert found == {"_Z5callsPfPKfi": 0, "_Z4tilePfPKf": 0, "_Z5heavyILi20EEvPfPKf": None}


def test_ptxas_is_asked_only_where_a_kernel_may_spill() -> None:
    cubin = cubin_of("sm_80-13.0")
    assert needs_ptxas(cubin)
    assert not needs_ptxas(cubin._replace(frames=()))
    assert not needs_ptxas(cubin._replace(frames=(("_Z3farPKfi", 40),)))


def test_what_ptxas_says_of_other_code_is_not_believed() -> None:
    cubin = cubin_of("sm_80-13.0")
    other, said = cubin_of("sm_80-11.8"), list(parse_usage(said_of("sm_80-11.8")))
    assert {usage.kernel.registers for usage in said if "heavy" in usage.kernel.name} == {24}  # in both
    assert with_usage(cubin, said, other) == without_stack(cubin)
    assert with_usage(cubin, (), cubin) == without_stack(cubin)


_SPILLING = """\
ptxas info    : Compiling entry function 'k' for 'sm_90'
ptxas info    : Function properties for k
    64 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 24 registers, used 0 barriers, 64 bytes cumulative stack size
ptxas info    : Function properties for f
    0 bytes stack frame, 200 bytes spill stores, 196 bytes spill loads
"""


def test_spills_of_functions_that_a_kernel_has_a_copy_of_are_its_own_too() -> None:
    kernel = Kernel("k", "sm_90", 24, stack_bytes=64)
    cubin = Cubin("sm_90", "", (kernel,), {"k": ("f",)}, {"k": b"1"}, (("k", 64), ("$k$f", 64)))
    (told,) = with_usage(cubin, parse_usage(_SPILLING.splitlines()), cubin)
    assert (told.spill_store_bytes, told.spill_load_bytes, told.called_spill_bytes) == (0, 0, 396)


def test_the_stack_of_a_kernel_is_its_own_frame_where_a_cubin_adds_what_it_calls() -> None:
    kernel = Kernel("k", "sm_90", 24, stack_bytes=88)
    cubin = Cubin("sm_90", "", (kernel,), {"k": ("f",)}, {"k": b"1"}, (("k", 88), ("$k$f", 24)))
    assert [one.stack_bytes for one in with_usage(cubin, parse_usage(_SPILLING.splitlines()), cubin)] == [64]
    assert [one.stack_bytes for one in with_usage(cubin, (), cubin)] == [88]


def test_whose_the_spills_of_functions_are_that_are_linked_later_is_not_known() -> None:
    kernel, plain = Kernel("k", "sm_90", 24, stack_bytes=64), Kernel("p", "sm_90", 8, stack_bytes=0)
    cubin = Cubin("sm_90", "", (kernel, plain), {}, {"k": b"1", "p": b"2"}, (("k", 64), ("f", 136)))
    told = with_usage(cubin, parse_usage(_SPILLING.splitlines()), cubin)
    assert [(one.spill_store_bytes, one.called_spill_bytes) for one in told] == [(0, None), (0, None)]


@dataclass(frozen=True)
class Asked:
    options: str
    words: tuple[str, ...]


@pytest.mark.parametrize(
    "asked",
    [
        Asked("-v  -maxrregcount 32 -arch sm_80 -m 64", ("-v", "-maxrregcount", "32", "-arch", "sm_80", "-m", "64")),
        Asked("-arch=sm_90a -O1", ("-v", "-arch=sm_90a", "-O1")),
        Asked("", ("-v", "-arch", "sm_70")),
        Asked("-arch sm_80 -o /home/ada/.profile", ("-v", "-arch", "sm_80")),
        Asked("-arch sm_80 --output-file=/etc/x -optf y", ("-v", "-arch", "sm_80")),
        Asked("k.ptx -g  -o k.cubin -arch sm_90", ("-v", "-g", "-arch", "sm_90")),
        Asked("-arch sm_80 'torn", ("-v", "-arch", "sm_70")),
    ],
)
def test_ptxas_is_asked_with_nvccs_options_and_writes_only_where_it_is_told(asked: Asked) -> None:
    found = ptxas_argv("/t/ptxas", asked.options, "sm_70", "/x.ptx", "/x.cubin")
    assert found == ("/t/ptxas", *asked.words, "/x.ptx", "-o", "/x.cubin")


def test_the_ptxas_of_an_nvcc_lies_beside_it() -> None:
    assert ptxas_of("") == ""
    assert ptxas_of("/nowhere/bin/nvcc") == ""
    assert ptxas_of("/bin/nvcc") == ""


_FILES = (
    ("compute_80", "ptx", "tmpxft_00006ce5_00000000-7_n.compute_80.ptx"),
    ("sm_80", "cubin", "tmpxft_00006ce5_00000000-14_n.compute_80.sm_80.cubin"),
    ("sm_86", "cubin", "tmpxft_00006ce5_00000000-15_n.compute_80.sm_86.cubin"),
    ("compute_90a", "ptx", "tmpxft_00006ce5_00000000-11_k.v2.compute_90a.ptx"),
    ("sm_90a", "cubin", "tmpxft_00006ce5_00000000-22_k.v2.compute_90a.cubin"),
)


def test_cubins_are_matched_with_their_ptx_and_their_source() -> None:
    assert images_of(_FILES, ("/w/n.cu", "/w/k.v2.cu")) == (
        Image(_FILES[1][2], _FILES[0][2], "/w/n.cu"),
        Image(_FILES[2][2], _FILES[0][2], "/w/n.cu"),
        Image(_FILES[4][2], _FILES[3][2], "/w/k.v2.cu"),
    )
    assert ptx_of(_FILES, "/w/k.v2.cu") == _FILES[3][2]
    assert ptx_of(_FILES, "/w/other.cu") == ""


def test_what_nvlink_made_counts_only_where_nothing_else_is_there() -> None:
    linked = ("sm_80", "cubin", "tmpxft_00006d4e_00000000-12_prog_dlink.sm_80.cubin")
    assert images_of((*_FILES, linked), ("/w/n.cu",))[-1].cubin == _FILES[4][2]
    assert images_of((linked,), ()) == (Image(linked[2], "", ""),)
    assert source_of("prog_dlink", ("/w/n.cu",)) == ""
    assert source_of("else", ("/w/n.cu",)) == "/w/n.cu"  # there is only one


def test_kernels_of_ptx_are_read_with_their_blocks() -> None:
    content = (FOLDER / "three.ptx").read_bytes()
    assert target_of(content) == "compute_80"
    assert {(kernel.name, kernel.arch, kernel.block_threads, kernel.registers) for kernel in read_ptx(content)} == {
        ("_Z5callsPfPKfi", "compute_80", None, None), ("_Z4tilePfPKf", "compute_80", 256, None),
        ("_Z5heavyILi20EEvPfPKf", "compute_80", None, None),
    }  # fmt: skip


def test_ptx_that_is_damaged_raises_nothing() -> None:
    exact = b".target sm_90a\n.visible .entry k(\n)\n.reqntid 16, 8, 2\n{"
    assert read_ptx(exact) == (Kernel("k", "compute_90a", block_threads=256, is_block_exact=True),)
    assert read_ptx(b".entry \xff\xfe(") == read_ptx(b"") == ()
    assert [kernel.name for kernel in read_ptx(b".entry a(" * 6000)] == ["a"] * 5000
    for end in range(0, len(exact)):
        assert len(read_ptx(exact[:end])) <= 1
