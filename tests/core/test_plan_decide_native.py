"""How many compilers, what CMake and nvcc are told, what is built and where sources come from."""

from typing import Any

import pytest

from core.plan.decide import decide
from core.plan.found import Found, Machine, Tool
from core.plan.given import Given, Key, Origin
from core.plan.wish import Mode, Wish
from tests.core.plan_worlds import FILE, GIB, GNU, World, asks, decided, found, row, with_values

HERE = found(World())


class TestJobs:
    def machine(self, cores: int, memory: int, limit: int | None = None) -> Found:
        limit = limit * GIB if limit is not None else None
        return HERE._replace(machine=Machine(cores=cores, memory_bytes=memory * GIB, cgroup_memory_bytes=limit))

    @pytest.mark.parametrize(
        ("cores", "memory", "limit", "options", "jobs"),
        [
            (64, 24, 2, {}, 2),
            (64, 24, 2, {"release": [""]}, 1),
            (64, 24, None, {}, 24),
            (64, 24, None, {"release": [""]}, 16),
            (2, 24, None, {}, 2),
            (1, 24, 2, {}, 1),
            (8, 0, None, {}, 8),
        ],
    )
    def test_auto_is_what_cores_and_memory_allow(
        self, cores: int, memory: int, limit: int | None, options: dict[str, list[str]], jobs: int
    ) -> None:
        setting = decided("jobs", asks(jobs="auto"), self.machine(cores, memory, limit), options=options)
        assert setting.value == str(jobs)
        assert setting.flags == (() if jobs == cores else ("--jobs", str(jobs)))

    def test_memory_too_small_for_one_still_gives_one(self) -> None:
        world = HERE._replace(machine=Machine(cores=4, memory_bytes=1000))
        assert decided("jobs", asks(jobs="auto"), world).value == "1"

    def test_nextest_has_a_word_of_its_own_for_it(self) -> None:
        assert decided("jobs", asks(jobs=3), subcommand="nextest").flags == ("--build-jobs", "3")

    def test_the_users_stay(self) -> None:
        typed = decided("jobs", asks(jobs="auto"), options={"jobs": ["7"]})
        assert (typed.value, typed.by, typed.flags) == ("7", "user", ())
        set_there = decided("jobs", asks(jobs="auto"), with_values({("build", "jobs"): 5}))
        assert (set_there.value, set_there.origin) == ("5", FILE)

    def test_an_inherited_jobserver_rules(self) -> None:
        world = HERE._replace(env={"MAKEFLAGS": " -j4 --jobserver-auth=3,4"})
        setting = decided("jobs", asks(jobs="auto"), world)
        assert (setting.by, setting.origin.place, setting.flags) == ("user", "MAKEFLAGS", ())

    def test_the_share_of_an_agent_is_told_and_not_enforced(self) -> None:
        setting = decided("jobs", asks(jobs="auto"), self.machine(8, 64), agents=4)
        assert (setting.value, setting.flags) == ("8", ())
        assert "4 agents build now, a share of the cores would be 2" in setting.reason


class TestNative:
    def test_another_generator_gets_folders_of_its_own(self) -> None:
        setting = decided("cmake-generator", asks(cmake_generator="ninja"))
        assert setting.env == (("CMAKE_GENERATOR", "Ninja"),)
        assert setting.flags == ("--config", f'target.{GNU}.rustflags=["--cfg", "deck_cmake_generator=\\"ninja\\""]')

    def test_other_architectures_get_folders_of_their_own(self) -> None:
        one, two = (decided("cuda-archs", asks(cuda_archs=archs)) for archs in ("native", "80;90"))
        assert one.env == (("CUDAARCHS", "native"),)
        assert two.env == (("CUDAARCHS", "80;90"),)
        assert one.flags != two.flags != ()

    def test_one_architecture_is_told_to_build_scripts_without_cmake_too(self) -> None:
        assert decided("cuda-archs", asks(cuda_archs="90")).env == (("CUDAARCHS", "90"), ("CUDA_COMPUTE_CAP", "90"))
        for archs in ("90a", "90-real", "80;90", "native"):
            assert decided("cuda-archs", asks(cuda_archs=archs)).env == (("CUDAARCHS", archs),)
        world = HERE._replace(env={"CUDA_COMPUTE_CAP": "80"})
        assert decided("cuda-archs", asks(cuda_archs="90"), world).env == (("CUDAARCHS", "90"),)

    def test_without_a_gpu_native_is_nothing_that_could_be_asked_for(self) -> None:
        without, unknown = (HERE._replace(machine=HERE.machine._replace(has_gpu=gpu)) for gpu in (False, None))
        setting = decided("cuda-archs", asks(cuda_archs="native"), without)
        assert (setting.value, setting.by, setting.env, setting.flags) == ("default", "cargo", (), ())
        assert "no GPU of NVIDIA is there" in setting.reason
        assert decided("cuda-archs", asks(cuda_archs="90"), without).env
        assert decided("cuda-archs", asks(cuda_archs="native"), unknown).env

    @pytest.mark.parametrize(("devices", "is_set"), [("", False), ("-1", False), ("0", True), ("GPU-1f", True)])
    def test_a_gpu_that_is_hidden_is_none(self, devices: str, is_set: bool) -> None:
        world = HERE._replace(env={"CUDA_VISIBLE_DEVICES": devices})
        setting = decided("cuda-archs", asks(cuda_archs="native"), world)
        assert bool(setting.env) is is_set
        assert ("CUDA_VISIBLE_DEVICES hides every GPU" in setting.reason) is not is_set

    @pytest.mark.parametrize(("name", "variable", "value"), [
        ("cmake-generator", "CMAKE_GENERATOR", "ninja"),
        ("cmake-parallel", "CMAKE_BUILD_PARALLEL_LEVEL", 4),
        ("cxx-launcher", "CMAKE_C_COMPILER_LAUNCHER", "sccache"),
        ("nvcc-cache", "CMAKE_CUDA_COMPILER_LAUNCHER", "sccache"),
        ("cuda-archs", "CUDAARCHS", "native"),
    ])  # fmt: skip
    def test_the_users_own_variables_stay(self, name: str, variable: str, value: Any) -> None:
        mode = Mode("mine", Origin("--mode"), {name: Given(value, Origin("deck.toml"))})
        for world in (
            HERE._replace(env={variable: "theirs"}),
            with_values({("env", variable): "theirs"}),
            with_values({("env", variable, "value"): "theirs"}),
        ):
            setting = row(decide(world, Wish(mode=mode)), name)
            assert (setting.value, setting.by, setting.env, setting.flags) == ("theirs", "user", (), ())

    def test_flags_of_nvcc_are_added_to_the_users(self) -> None:
        world = HERE._replace(env={"NVCC_APPEND_FLAGS": "-lineinfo"})
        setting = decided("nvcc-threads", asks(nvcc_threads=4), world)
        assert setting.env == (("NVCC_APPEND_FLAGS", "-lineinfo --threads=4"),)
        world = HERE._replace(env={"NVCC_APPEND_FLAGS": "-t 2"})
        assert decided("nvcc-threads", asks(nvcc_threads=4), world).env == ()

    def test_nvcc_stays_inside_the_agents_share(self) -> None:
        assert decided("nvcc-threads", asks(nvcc_threads=64), agents=16).value == "4"

    def test_ccache_is_told_to_go_by_dependencies_or_not_used_for_kernels(self) -> None:
        told = decided("nvcc-cache", asks(nvcc_cache="ccache"))
        assert told.env == (("CMAKE_CUDA_COMPILER_LAUNCHER", "ccache"), ("CCACHE_DEPEND", "1"))
        assert "has cargo-deck's own cache" in told.reason
        world = HERE._replace(env={"CCACHE_NODEPEND": "1"})
        assert decided("nvcc-cache", asks(nvcc_cache="ccache"), world).env == ()

    def test_what_nvcc_makes_is_kept_unless_a_mode_says_otherwise(self) -> None:
        default = row(decide(HERE, Wish()), "nvcc-cache")
        assert (default.value, default.by, default.env) == ("on", "deck", ())
        on, off, verify = (decided("nvcc-cache", asks(nvcc_cache=value)) for value in ("on", "off", "verify"))
        assert [(one.value, one.by) for one in (on, off, verify)] == [(v, "mode") for v in ("on", "off", "verify")]
        assert (on.env, off.env) == ((), (("DECK_NVCC_CACHE", "off"),))
        assert verify.env == (("DECK_NVCC_VERIFY", "1"),)

    @pytest.mark.parametrize("value", ["on", "off", "verify", "sccache", "ccache"])
    def test_the_users_own_word_on_the_cache_of_nvcc_stays(self, value: str) -> None:
        setting = decided("nvcc-cache", asks(nvcc_cache=value), HERE._replace(env={"DECK_NVCC_CACHE": "/mine"}))
        assert (setting.value, setting.by, setting.env) == ("/mine", "user", ())

    def test_the_cost_of_sccache_for_kernels_is_told(self) -> None:
        assert "25 to 40 %" in decided("nvcc-cache", asks(nvcc_cache="sccache")).cost

    @pytest.mark.parametrize("name", ["cxx-launcher", "nvcc-cache"])
    def test_sccache_with_base_folders_in_direct_mode_is_refused(self, name: str) -> None:
        mode = Mode("mine", Origin("--mode"), {name: Given("sccache", Origin("deck.toml"))})
        world = HERE._replace(env={"SCCACHE_BASEDIRS": "/a:/b"})
        setting = row(decide(world, Wish(mode=mode)), name)
        assert (setting.env, setting.value in ("none", "on")) == ((), True)
        assert "SCCACHE_DIRECT=false" in setting.reason
        sound = world._replace(env={**world.env, "SCCACHE_DIRECT": "false"})
        assert row(decide(sound, Wish(mode=mode)), name).env

    @pytest.mark.parametrize("tool", ["sccache", "ccache"])
    def test_a_cache_for_cmake_is_refused_where_nothing_calls_it_and_our_own_stays(self, tool: str) -> None:
        told = decided("nvcc-cache", asks(nvcc_cache=tool), HERE._replace(has_cmake=False))
        assert (told.value, told.by, told.env) == ("on", "cargo", ())
        assert "nothing here calls CMake" in told.reason
        assert decided("nvcc-cache", asks(nvcc_cache=tool), HERE._replace(has_cmake=True)).value == tool

    def test_sccache_that_misreads_what_nvcc_says_is_refused(self) -> None:
        kit = {**HERE.tools, "nvcc": Tool("nvcc", "/n", (13, 3)), "sccache": Tool("sccache", "/s", (0, 16))}
        told = decided("nvcc-cache", asks(nvcc_cache="sccache"), HERE._replace(tools=kit))
        assert (told.value, told.env) == ("on", ())
        assert "misreads the steps of nvcc" in told.reason
        newer = HERE._replace(tools={**kit, "sccache": Tool("sccache", "/s", (0, 18))})
        assert decided("nvcc-cache", asks(nvcc_cache="sccache"), newer).value == "sccache"

    def test_an_old_cmake_is_not_told_what_it_does_not_know(self) -> None:
        old = HERE._replace(tools={**HERE.tools, "cmake": Tool("cmake", "/c", (3, 22, 0))})
        assert decided("cuda-archs", asks(cuda_archs="native"), old).env == ()
        assert decided("cuda-archs", asks(cuda_archs="80"), old).env

    def test_rows_are_told_only_where_the_tool_is_there_or_the_mode_asks(self) -> None:
        bare = HERE._replace(tools={})
        assert not [one for one in decide(bare, Wish()).settings if one.name.startswith(("cmake", "cuda", "nvcc"))]


class TestScope:
    def test_packages_that_differ_are_named(self) -> None:
        setting = decided("packages", asks(packages="changed"), changed=("a", "b"), changed_reason="since main")
        assert (setting.flags, setting.reason) == (("--package", "a", "--package", "b"), "since main")

    @pytest.mark.parametrize("changed", [None, ()])
    def test_all_are_taken_where_it_is_not_known_or_none_differs(self, changed: tuple[str, ...] | None) -> None:
        assert decided("packages", asks(packages="changed"), changed=changed).flags == ()

    @pytest.mark.parametrize("typed", [{"package": ["c"]}, {"workspace": [""]}, {"exclude": ["d"]}])
    def test_packages_of_the_command_line_stay(self, typed: dict[str, list[str]]) -> None:
        setting = decided("packages", asks(packages="changed"), changed=("a",), options=typed)
        assert (setting.by, setting.flags) == ("user", ())

    def test_features_and_words_that_a_variable_asks_for_go_in_unless_typed(self) -> None:
        asked = {
            "features": Given("gpu,fast", Origin("DECK_FEATURES")), "is_verbose": Given(True, Origin("DECK_VERBOSE")),
        }  # fmt: skip
        assert decide(HERE, Wish(**asked)).flags == ("--features", "gpu,fast", "--verbose")  # type: ignore[arg-type]
        typed = {"all-features": [""], "quiet": [""]}
        assert decide(HERE, Wish(**asked, options=typed)).flags == ()  # type: ignore[arg-type]

    def test_where_sources_come_from_is_told_without_credentials(self) -> None:
        values: dict[Key, Any] = {
            ("source", "crates-io", "replace-with"): "near",
            ("source", "near", "registry"): "sparse+https://me:hunter22@mirror.example/index/",
        }
        setting = decided("fetch", Mode(), with_values(values))
        assert (setting.value, setting.by, setting.origin, setting.flags) == ("mirror near", "user", FILE, ())
        assert "hunter22" not in setting.reason
        assert "mirror.example" in setting.reason

    def test_sources_that_replace_one_another_in_a_circle_end(self) -> None:
        values: dict[Key, Any] = {
            ("source", "crates-io", "replace-with"): "a",
            ("source", "a", "replace-with"): "b",
            ("source", "b", "replace-with"): "a",
        }
        assert decided("fetch", Mode(), with_values(values)).value.startswith("mirror")

    def test_offline_is_told_with_who_says_it(self) -> None:
        assert decided("fetch", Mode(), with_values({("net", "offline"): True})).origin == FILE
        assert decided("fetch", Mode(), options={"frozen": [""]}).value == "offline"
