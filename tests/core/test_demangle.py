import random

import pytest

from core.native.kernels.demangle import demangle, stable_name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("_Z5heavyILi40EEvPfPKf", "heavy<40>"),
        ("_Z4tilePfPKf", "tile"),
        ("_Z3fooILb1ELm3EEvv", "foo<true, 3ul>"),
        ("_Z1kIJifdEEvDpT_", "k<int, float, double>"),
        ("_ZN3app4math5scaleIffEEvPT_T0_", "app::math::scale<float, float>"),
        ("_ZN36_GLOBAL__N__0fded8b4_4_n_cu_327bc8984anonIdEEvPT_", "(anonymous)::anon<double>"),
        ("__nv_static_25__f41204db_4_n_cu_327bc898__Z4statPd", "stat"),
        ("_Z3runIPFvifEEvT_", "run<void (*)(int, float)>"),
        ("_Z3runIRA8_KcEvT_", "run<char const (&) [8]>"),
        ("_Z3mapI6float4S0_Evv", "map<float4, float4>"),
        ("_ZN2at6native13reduce_kernelILi512ELi1ENS0_8ReduceOpIfNS0_14func_wrapper_tIfZNS0_11sum_functorIfffEclERNS_14"
         "TensorIteratorEEUlffE_EEjfLi4EEEEEvT1_",
         "at::native::reduce_kernel<512, 1, at::native::ReduceOp<float, at::native::func_wrapper_t<float, "
         "at::native::sum_functor<float, float, float>::operator()::{unnamed #1}>, unsigned int, float, 4>>"),
        ("_ZN3cub15DeviceScanByKeyINS_6PolicyIiEESt4pairIKmS2_EEEvT0_",
         "cub::DeviceScanByKey<cub::Policy<int>, std::pair<unsigned long const, cub::Policy<int>>>"),
        ("_Z1kIXadL_Z1fvEEEvv", "k<&f>"),
        ("_ZN4rust4gemmILi8E1bXadL_ZN42_INTERNAL_8b737c1e_11_moe_gguf_cu_2c4098ac3dotEPKvPK1bRKiEEXadL_ZN1n1gEvEEEEvS4_"
         "S7_",
         "rust::gemm<8, b, &dot, &n::g>"),
        ("my_kernel", "my_kernel"),
        ("", ""),
    ],
)  # fmt: skip
def test_names_are_shown_as_a_person_writes_them(name: str, shown: str) -> None:
    assert demangle(name) == shown


@pytest.mark.parametrize(
    "name",
    [
        "_Z", "_Z5heav", "_ZN", "_Z99999999999999999999x", "_Z1kIXadL_Z1fvEEvv", "_Z1kIXspT_EEvv", "_ZS9_",
        "_Z1kIT5_Evv", "_Z1kI" + "P" * 500 + "iEvv",
        "_Z" + "N" * 3000, "_Z1kI" + "J" * 3000, "_Z1k" * 3000, "_Z٣abc", "_Z1kILi",
    ],
)  # fmt: skip
def test_what_is_not_understood_stays_as_it_is(name: str) -> None:
    assert demangle(name) == name


def test_names_that_refer_to_themselves_do_not_grow_without_end() -> None:
    bomb = "_Z1kI" + "".join(f"St4pairIS{at}_S{at}_E" for at in ["", *"0123456789ABCDEFGHIJKLMN"]) + "Evv"
    assert len(demangle(bomb)) < 5000


def test_damaged_names_raise_nothing() -> None:
    rng = random.Random(5)
    whole = "_ZN3cub15DeviceScanByKeyINS_6PolicyIiEESt4pairIKmS2_EEEvT0_"
    for _ in range(3000):
        letters = list(whole)
        for _ in range(rng.randint(1, 6)):
            letters[rng.randrange(2, len(letters))] = rng.choice("_0123456789SNIEJLTPKRFAXZcstvo")
        assert demangle("".join(letters))


def test_a_kernel_of_another_checkout_has_the_same_stable_name() -> None:
    here, there = (
        "_ZN36_GLOBAL__N__0fded8b4_4_n_cu_327bc8984anonIdEEvPT_",
        "_ZN36_GLOBAL__N__f41204db_4_n_cu_327bc8984anonIdEEvPT_",
    )
    assert here != there
    assert stable_name(here) == stable_name(there)
    assert stable_name("_Z5heavyILi40EEvPfPKf") == "_Z5heavyILi40EEvPfPKf"
