"""What a compiler's command line in sccache's log says of the compilation. Pure."""

import re
from typing import NamedTuple

_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\(?:u\{([0-9a-fA-F]{1,6})\}|x([0-9A-Fa-f]{2})|(.))")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}
_ASSEMBLER = "Assembler"
_C = "C/C++"
_BY_ENDING = {
    **dict.fromkeys(("s", "S", "sx"), _ASSEMBLER),
    **dict.fromkeys("c h i C cc cp cpp CPP cxx c++ ii H hh hp hpp HPP hxx h++ tcc cppm ixx m mi M mm mii".split(), _C),
    "cu": "CUDA", "ptx": "PTX", "cubin": "CUBIN", "hip": "HIP", "rs": "Rust",
}  # fmt: skip
_BY_X = {"assembler": _ASSEMBLER, "assembler-with-cpp": _ASSEMBLER, "cu": "CUDA", "cuda": "CUDA", "hip": "HIP"}
_TAKES_VALUE = frozenset(
    "-o -I -D -U -L -x -l -include -imacros -isystem -iquote -idirafter -isysroot -MF -MT -MQ -Xclang -Xcompiler"
    " -Xpreprocessor -Xlinker -Xptxas -Xcicc -gencode -arch -std -target --param --orig_src_file_name"
    " --orig_src_path_name --gen_c_file_name --stub_file_name --module_id_file_name --include_file_name"
    " --gen_device_file_name -ccbin --compiler-options".split()
)
_STEP_FOLDER = "/sccache_nvcc"
"""Of the folder in which sccache 0.16 lets nvcc's steps work; the host compiler's step names it."""
_CODEGEN = ("-C", "--codegen")


class Asked(NamedTuple):
    """A compilation that was asked for."""

    language: str
    words: tuple[str, ...]
    source: str = ""
    output: str = ""
    crate_name: str = ""
    crate_types: tuple[str, ...] = ()
    out_dir: str = ""
    extra_filename: str = ""
    metadata: str = ""
    emit: tuple[str, ...] = ()
    is_test: bool = False

    @property
    def is_driver(self) -> bool:
        """It may be nvcc itself (or clang with a `.cu`), and is no step of it."""
        return self.language == "CUDA" and _STEP_FOLDER not in self.source


def read_list(text: str) -> tuple[str, ...]:
    """The words of a list as Rust writes it for debugging: `["--crate-name", "a\\"b"]`."""
    return tuple(_unescaped(found[1]) for found in _STRING.finditer(text))


def read_asked(words: tuple[str, ...]) -> Asked:
    """What the words after the compiler ask for."""
    if any(word == "--crate-name" or word.startswith("--crate-name=") or word.endswith(".rs") for word in words):
        return _read_rust(words)
    source, output, x = _read_c(words)
    if original := _after(words, "--orig_src_file_name"):
        return Asked("PTX" if output else "CUDA (Device code)", words, original, output)
    return Asked(_c_language(words, source, x), words, source, output)


def language_of_tag(tag: str) -> str:
    """A guess, for a compilation of which the command line is not known: only crates have names without a dot."""
    if "." not in tag:
        return "Rust"
    ending = tag.rpartition(".")[2]
    if ending == "module_id":
        return "CUDA (Device code)"
    return "CUDA" if tag.endswith(".cu.o") else {"ptx": "PTX", "cubin": "CUBIN"}.get(ending, _C)


def _read_rust(words: tuple[str, ...]) -> Asked:
    single: dict[str, str] = {}
    types: list[str] = []
    source = ""
    at = 0
    while at < len(words):
        name, sign, value = words[at].partition("=")
        following = words[at + 1] if at + 1 < len(words) else ""
        at += 1
        if name in ("--crate-name", "--out-dir", "--emit", "--crate-type", *_CODEGEN):
            if not sign:
                value = following
                at += 1
            if name == "--crate-type":
                types += value.split(",")
            elif name in _CODEGEN:
                option, _, value = value.partition("=")
                single[f"-C{option}"] = value
            else:
                single[name] = value
        elif name.startswith("-C"):
            single[name] = value
        elif words[at - 1].endswith(".rs") and not name.startswith("-") and not source:
            source = words[at - 1]
    emit = tuple(sorted(kind.partition("=")[0] for kind in single.get("--emit", "").split(",") if kind))
    return Asked(
        "Rust", words, source, "", single.get("--crate-name", ""), tuple(types), single.get("--out-dir", ""),
        single.get("-Cextra-filename", ""), single.get("-Cmetadata", ""), emit, "--test" in words,
    )  # fmt: skip


def _read_c(words: tuple[str, ...]) -> tuple[str, str, str]:
    """The source, `-o` and `-x` of C and its kin; empty where there is none."""
    source = output = x = ""
    at = 0
    while at < len(words):
        word = words[at]
        following = words[at + 1] if at + 1 < len(words) else ""
        at += 2 if word in _TAKES_VALUE else 1
        if word == "-o":
            output = following
        elif word == "-x":
            x = following
        elif not word.startswith("-") and _ending(word) in _BY_ENDING:
            source = word
    return source, output, x


def _c_language(words: tuple[str, ...], source: str, x: str) -> str:
    if _STEP_FOLDER in source:
        return "CUDA"
    if x and x != "none":
        return _BY_X.get(x, _C)
    language = _BY_ENDING.get(_ending(source), _C)
    if language == "PTX" and not {"-c", "-cubin", "--cubin", "-fatbin", "--fatbin"} & set(words):
        return "CUBIN"  # ptxas, which makes it of PTX
    return language


def _ending(path: str) -> str:
    return path.rpartition("/")[2].rpartition(".")[2]


def _after(words: tuple[str, ...], flag: str) -> str:
    at = words.index(flag) if flag in words else len(words)
    return words[at + 1] if at + 1 < len(words) else ""


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(_unescape, text) if "\\" in text else text


def _unescape(found: "re.Match[str]") -> str:
    if found[1]:
        number = int(found[1], 16)
        return chr(number) if number < 0x110000 else "\ufffd"
    if found[2]:
        return chr(int(found[2], 16)) if int(found[2], 16) < 0x80 else "\ufffd"
    return _ESCAPED.get(found[3], found[3])
