"""In place of nvcc, for tests: it includes and writes depfiles as they do, and says what it makes.

Text of sources: `#include`, `#if __has_include("x")`, `FILE`, `WARN`, `FAIL`, `ALONE` (which fails where a
depfile is asked for), `SECRET` (which reads a file that no depfile names), `NAMED` (a name of the source's path),
`DURING` (which runs a command meanwhile).
"""

import os
import re
import subprocess
import sys
import time
import zlib

HERE = os.path.dirname(os.path.realpath(sys.argv[1]))
VALUED = ("-o", "-MF", "-MT", "-odir", "-optf", "-D", "-I", "-arch", "-Xcompiler", "-ccbin", "--threads")


def words(argv: list[str]) -> list[str]:
    """With those of variables and options files in their place."""
    given = [os.environ.get("NVCC_PREPEND_FLAGS", "").split(), argv, os.environ.get("NVCC_APPEND_FLAGS", "").split()]
    found = [word for part in given for word in part]
    while "-optf" in found:
        at = found.index("-optf")
        with open(found[at + 1], encoding="utf-8") as file:
            found[at : at + 2] = file.read().split()
    return found


class Options:
    """What a command line says."""

    def __init__(self, argv: list[str]) -> None:
        self.values: dict[str, str] = {}
        self.folders: list[str] = []
        self.flags: list[str] = []
        self.source = ""
        rest = iter(words(argv))
        for given in rest:
            word = given[1:] if given == "--ptx" else given
            if word in VALUED:
                value = next(rest)
                self.values[word] = value
                if word == "-I":
                    self.folders.append(value)
                elif word not in ("-o", "-MF", "-MT", "-odir"):
                    self.flags.append(word + value)
            elif word.startswith("-I"):
                self.folders.append(word[2:])
            elif word.startswith("-"):
                self.flags.append(word)
            else:
                self.source = word
        self.folders += filter(None, os.environ.get("CPATH", "").split(":"))

    def output(self) -> str:
        """Where it goes."""
        stem = os.path.splitext(os.path.basename(self.source))[0]
        end = next((word[1:] for word in ("-ptx", "-cubin", "-fatbin") if word in self.flags), "o")
        return self.values.get("-o") or os.path.join(self.values.get("-odir", ""), f"{stem}.{end}")

    def target(self) -> str:
        """Of the rule."""
        stem = os.path.splitext(os.path.basename(self.source))[0]
        named = self.values.get("-MT") or self.values.get("-o")
        return named or os.path.join(self.values.get("-odir", ""), stem + ".o")


class Text:
    """What is made of a source: with all that it includes."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.files: list[str] = []
        self.lines: list[str] = []
        self.read(options.source)

    def find(self, name: str, folder: str) -> str | None:
        """The file that an include means."""
        places = [folder, *self.options.folders, HERE + "/../include"]
        return next((path for place in places if os.path.isfile(path := os.path.join(place, name))), None)

    def read(self, path: str) -> None:
        """Add a file."""
        if path not in self.files:
            self.files.append(path)
        marked = path.replace("\\", "\\\\")
        self.lines.append(f'# 1 "{marked}" 1')
        folder = os.path.dirname(path)
        with open(path, encoding="utf-8") as file:
            for line in file:
                self.add(line.rstrip("\n"), path, folder)

    def add(self, line: str, path: str, folder: str) -> None:
        """Add a line."""
        asked = re.match(r'#if __has_include\("(.*)"\)', line)
        included = re.match(r'#include ["<](.*)[">]', line)
        if asked:
            self.lines.append(f"has {self.find(asked[1], folder) is not None}")
        elif included:
            found = self.find(included[1], folder)
            if found is None:
                sys.exit(f"{path}: no {included[1]}")
            self.read(found)
        else:
            self.lines.append(line.replace("FILE", f'"{path}"'))


def rehearse(options: Options) -> None:
    """As `--dryrun`."""
    top = f"{HERE}/.."
    lines = [f"_HERE_={HERE}", f"TOP={top}", f"PATH={HERE}:{os.environ['PATH']}", f'INCLUDES="-I{top}/include" ']
    lines += [f"NVVMIR_LIBRARY_DIR={top}/nvvm/libdevice", f"LD_LIBRARY_PATH={top}/lib:", "SYSTEM_INCLUDES="]
    start = "/tmp/tmpxft_00000001_00000000"
    host = options.values.get("-ccbin", "gcc")
    lines += [f'{host} -E -x c++ "k.cu" -o "{start}-7_k.cpp1.ii"', "-- Filter Dependencies -- > x.d"]
    lines += [f'cicc "{start}-7_k.cpp1.ii" -o "{start}-6_k.ptx"', f'ptxas "{start}-6_k.ptx" -o "{start}-8_k.cubin"']
    sys.stderr.write("".join(f"#$ {line}\n" for line in lines))


def held_until_seen(texts: dict[str, str]) -> None:
    """Temporary files that a front above us has opened before they go: the last one shows that it had time for all."""
    for path, text in texts.items():
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    last, above, deadline = os.path.realpath([*texts][-1]), f"/proc/{os.getppid()}", time.monotonic() + 5
    while time.monotonic() < deadline and os.environ.get("FAKE_HELD"):
        try:
            if "/fronts/" not in os.readlink(above + "/exe"):
                break
            if any(os.path.realpath(f"{above}/fd/{one}") == last for one in os.listdir(above + "/fd")):
                break
        except OSError:
            break
    for path in texts:
        os.remove(path)


def _escaped(name: str) -> str:
    """In a depfile of gcc."""
    return name.replace(" ", "\\ ").replace("#", "\\#").replace("$", "$$")


def compile_source(options: Options) -> None:
    """Write the output, and a depfile where one is asked for."""
    with open(os.environ["FAKE_LOG"], "a", encoding="utf-8") as log:
        log.write(options.source + "\n")
    text = Text(options)
    whole = "\n".join(text.lines)
    start = f"{os.environ.get('TMPDIR', '/tmp')}/tmpxft_{os.getpid():08x}_00000000"
    is_host_only = options.source.endswith(".cpp")
    preprocessed = {} if is_host_only else {start + "-7_k.cpp1.ii": whole}
    held_until_seen({**preprocessed, start + "-6_k.ptx": "code", start + "-8_k.cubin": "code"})
    for line in text.lines:
        if line.startswith("DURING "):
            subprocess.run(line.removeprefix("DURING "), shell=True, check=True)
    if "WARN" in whole:
        sys.stderr.write(f"{options.source}(1): warning\n")
        sys.stdout.write("told\n")
    if "FAIL" in whole or ("ALONE" in whole and "-MD" in options.flags):
        sys.exit(2)
    tools = [os.path.getsize(f"{HERE}/{name}") for name in ("ptxas", "cicc", "nvcc")]
    body = "\n".join(line for line in whole.split("\n") if not line.startswith("# "))
    if "SECRET" in body and os.path.exists(os.environ["FAKE_LOG"] + ".secret"):
        body += "secret"
    if "NAMED" in body:
        body += f"_{zlib.crc32(os.path.realpath(options.source).encode()):08x}_4_k_cu_"
    host = options.values.get("-Xcompiler", "")
    ours = ("-MD", "-MP", f"-Xcompiler{host}" if host.startswith("-MD,") else "")
    flags = [word for word in options.flags if word not in ours and not word.startswith("--time=")]
    size = next((int(word[6:]) for word in flags if word.startswith("-DSIZE")), None)
    made = f"{flags} {tools}\n{body}\n{os.path.basename(start)}-7_k" if size is None else "x" * size
    with open(options.output(), "w", encoding="utf-8") as file:
        file.write(made)
    if "-MD" in options.flags:
        place = options.values.get("-MF") or os.path.splitext(options.output())[0] + ".d"
        names = " \\\n    ".join(name.replace(" ", "\\ ") for name in text.files)
        with open(place, "w", encoding="utf-8") as file:
            file.write(f"{options.target()} : {names}\n")
    if host.startswith("-MD,-MF,") and is_host_only:
        _, _, place, _, target = host.split(",")
        with open(place, "w", encoding="utf-8") as file:
            file.write(f"{target}: " + " \\\n ".join(map(_escaped, text.files)) + "\n")


def main() -> None:
    argv = sys.argv[2:]
    if "--help" in argv:
        return
    if "--dryrun" in argv:
        rehearse(Options([word for word in argv if word != "--dryrun"]))
    else:
        compile_source(Options(argv))


main()
