"""Names of kernels as a person writes them: `heavy<40>` of `_Z5heavyILi40EEvPfPKf`. Pure.

Source: the Itanium C++ ABI, "Mangling": names, nested ones, templates, literals, substitutions, types. What lies beyond
that (decltype, expressions but for the address of a function) leaves a name as it is mangled.
"""

import re
from collections.abc import Callable
from functools import lru_cache

_MAX_NAME = 8192
_MAX_DEPTH = 64
_MAX_SHOWN = 4096
_ANONYMOUS = re.compile(r"_GLOBAL__N_\w*\Z")
_INTERNAL = re.compile(r"_INTERNAL_[0-9a-f]{8}_\d{1,4}_\w+_[0-9a-f]{8}\Z")
"""What nvcc puts around the name of a function that is static: its file, and digests of its path."""
_STATIC = re.compile(r"\A(?:__nv_static_\d{1,6}__|_INTERNAL_)\w*?(?=_Z)")
_HASHES = re.compile(r"[0-9a-f]{8}_(\d{1,4}_\w+?)_[0-9a-f]{8}")
_BUILTIN = {
    "v": "void", "w": "wchar_t", "b": "bool", "c": "char", "a": "signed char", "h": "unsigned char", "s": "short",
    "t": "unsigned short", "i": "int", "j": "unsigned int", "l": "long", "m": "unsigned long", "x": "long long",
    "y": "unsigned long long", "n": "__int128", "o": "unsigned __int128", "f": "float", "d": "double",
    "e": "long double", "g": "__float128", "z": "...", "Dn": "decltype(nullptr)", "Da": "auto", "Du": "char8_t",
    "Ds": "char16_t", "Di": "char32_t", "Dh": "half",
}  # fmt: skip
_STANDARD = {
    "Sa": "std::allocator", "Sb": "std::basic_string", "Ss": "std::string", "Si": "std::istream",
    "So": "std::ostream", "Sd": "std::iostream",
}  # fmt: skip
_SUFFIX = {"j": "u", "l": "l", "m": "ul", "x": "ll", "y": "ull", "i": "", "b": "", "s": "", "t": "", "c": "", "h": ""}
_AROUND = {"P": "*", "R": "&", "O": "&&", "K": " const", "V": " volatile", "r": " restrict"}
_SLOT, _INNER_SLOT = "\1", "\2"
"""Where a pointer to a function or an array has its sign."""
_OPERATORS = {
    "cl": "()", "ix": "[]", "pl": "+", "mi": "-", "ml": "*", "dv": "/", "rm": "%", "eq": "==", "ne": "!=", "lt": "<",
    "gt": ">", "le": "<=", "ge": ">=", "ls": "<<", "rs": ">>", "aS": "=", "pL": "+=", "aa": "&&", "oo": "||",
    "an": "&", "or": "|", "eo": "^", "nt": "!", "pp": "++", "mm": "--",
    "de": "*", "nw": " new", "dl": " delete", "mI": "-=", "mL": "*=", "dV": "/=", "co": "~", "pt": "->",
}  # fmt: skip


@lru_cache(maxsize=4096)
def demangle(name: str) -> str:
    """The name without its parameters; the name itself where it is not mangled, or not understood."""
    mangled = _STATIC.sub("", name)
    if not mangled.startswith("_Z") or not mangled.isascii() or len(mangled) > _MAX_NAME:
        return mangled
    try:
        shown = _Reader(mangled[2:]).encoding()
    except (ValueError, IndexError, RecursionError):
        return mangled
    return shown if 0 < len(shown) <= _MAX_SHOWN else mangled


def stable_name(name: str) -> str:
    """The mangled name without what differs between two checkouts of the same file: digests of its path."""
    return _HASHES.sub(r"\1", name)


class _Reader:
    """Reads one name from its beginning. Raises ValueError or IndexError on what it does not understand."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._size = 0
        self._seen: list[str] = []
        """What `S…_` may stand for."""
        self._arguments: list[str] = []
        """What `T…_` may stand for."""

    def encoding(self) -> str:
        """The name of a function; what follows it are its types."""
        return _whole(self._name())

    # Letters

    def _next(self, count: int = 1) -> str:
        found = self._text[self._at : self._at + count]
        if len(found) < count:
            raise ValueError("it ends too soon")
        self._at += count
        return found

    def _peek(self, count: int = 1) -> str:
        return self._text[self._at : self._at + count]

    def _takes(self, letters: str) -> bool:
        is_there = self._text.startswith(letters, self._at)
        if is_there:
            self._at += len(letters)
        return is_there

    def _digits(self) -> str:
        began = self._at
        while self._peek().isdigit() and self._at - began < 20:
            self._at += 1
        return self._text[began : self._at]

    def _keep(self, shown: str) -> str:
        """Something that may be meant again. What refers to itself grows fast: there is an end."""
        self._size += len(shown)
        if self._size > 64 * _MAX_NAME:
            raise ValueError("it is too long")
        self._seen.append(shown)
        return shown

    def _nested_in(self, read: Callable[[], str]) -> str:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ValueError("it is too deep")
        shown = read()
        self._depth -= 1
        return shown

    # Names

    def _name(self) -> str:
        if self._takes("N"):
            return self._nested()
        if self._takes("Z"):
            return self._nested_in(self._local)
        if self._peek() == "S" and self._peek(2) != "St":
            shown = self._substitution()
        else:
            shown = ("std::" if self._takes("St") else "") + self._unqualified()
            if self._peek() == "I":
                self._keep(shown)
        if self._peek() == "I":
            shown += self._template()
        return shown

    def _local(self) -> str:
        """`Z` function `E` name: something within a function."""
        outer = self._name()
        while not self._takes("E"):
            self._type()
        return f"{outer}::{self._name()}"

    def _nested(self) -> str:
        while self._peek() in ("K", "V", "r", "R", "O"):
            self._at += 1
        shown = own = ""
        while not self._takes("E"):
            letter = self._peek()
            if letter == "I":
                shown = self._keep(shown + self._template())
                continue
            if letter == "S" and not shown:
                shown = "std" if self._takes("St") else self._substitution()
                own = shown.rpartition("::")[2]
                continue
            if letter == "T":
                shown = self._keep(self._parameter())
                continue
            own = self._unqualified(own)
            shown = self._keep(f"{shown}::{own}" if shown else own)
        return shown

    def _unqualified(self, of: str = "") -> str:
        letters = self._peek(2)
        if letters[:1].isdigit():
            return self._abi(self._source_name())
        if letters[:1] in ("C", "D") and letters[1:].isdigit():
            self._at += 2
            return of if letters[0] == "C" else f"~{of}"
        if letters in ("Ut", "Ul"):
            return self._unnamed()
        if letters == "cv":
            self._at += 2
            return f"operator {self._type()}"
        if letters[:1] == "L":
            self._at += 1
            return self._unqualified(of)
        self._at += 2
        return f"operator{_OPERATORS[letters]}" if letters in _OPERATORS else self._fail(letters)

    def _unnamed(self) -> str:
        if self._next(2) == "Ul":
            while not self._takes("E"):
                self._type()
        number = int(self._digits() or -1) + 2
        if not self._takes("_"):
            self._fail(self._peek())
        return f"{{unnamed #{number}}}"

    def _source_name(self) -> str:
        name = self._next(int(self._digits()))
        if _INTERNAL.match(name):
            return ""
        return "(anonymous)" if _ANONYMOUS.match(name) else name

    def _abi(self, name: str) -> str:
        while self._takes("B"):
            self._source_name()
        return name

    def _fail(self, what: str) -> str:
        raise ValueError(f"{what!r} is not understood")

    def _substitution(self) -> str:
        letters = self._next(2)
        if letters in _STANDARD:
            return _STANDARD[letters]
        if letters == "S_":
            return self._seen[0]
        digits = letters[1]
        while not self._takes("_"):
            digits += self._next()
        return self._seen[int(digits, 36) + 1]

    # Templates

    def _template(self) -> str:
        self._at += 1
        found: list[str] = []
        while not self._takes("E"):
            found += self._nested_in(self._argument).split("\0")
        if self._depth == 0:
            self._arguments = found
        return f"<{', '.join(_whole(one) for one in found if one)}>"

    def _argument(self) -> str:
        if self._takes("L"):
            return self._literal()
        if self._takes("J"):
            pack: list[str] = []
            while not self._takes("E"):
                pack.append(self._argument())
            return "\0".join(pack)
        if self._peek() == "X":
            return self._address()
        return self._type()

    def _address(self) -> str:
        """`XadL_Z` function `EE`: a pointer to it. Other expressions are not understood."""
        if not self._takes("XadL_Z"):
            self._fail(self._peek(4))
        self._at -= 2
        shown = f"&{self._literal()}"
        return shown if self._takes("E") else self._fail(self._peek())

    def _literal(self) -> str:
        if self._takes("_Z"):
            shown = self._name()
            while not self._takes("E"):
                self._type()
            return shown
        letter = self._peek()
        kind = self._type()
        sign = "-" if self._takes("n") else ""
        began = self._at
        while not self._takes("E"):
            self._at += 1
            self._peek() or self._fail("")
        value = self._text[began : self._at - 1]
        if letter == "b":
            return {"0": "false", "1": "true"}.get(value, value)
        return f"{sign}{value}{_SUFFIX[letter]}" if letter in _SUFFIX else f"({kind}){sign}{value}"

    def _parameter(self) -> str:
        """`T_`, `T0_`, …: an argument of the template around."""
        self._at += 1
        digits = self._digits()
        if not self._takes("_"):
            self._fail(self._peek())
        return self._arguments[int(digits) + 1 if digits else 0]

    # Types

    def _type(self) -> str:
        return self._nested_in(self._plain_type)

    def _plain_type(self) -> str:
        letter, pair = self._peek(), self._peek(2)
        if pair in _BUILTIN:
            self._at += 2
            return _BUILTIN[pair]
        if letter in _BUILTIN:
            self._at += 1
            return _BUILTIN[letter]
        if letter in _AROUND:
            self._at += 1
            return self._keep(_around(self._type(), _AROUND[letter]))
        match letter:
            case "F":
                return self._keep(self._function())
            case "A":
                return self._keep(self._array())
            case "T":
                return self._keep(self._parameter())
            case "u":
                self._at += 1
                return self._keep(self._source_name())
            case "S" if pair != "St":
                shown = self._substitution()
                return self._keep(shown + self._template()) if self._peek() == "I" else shown
        if pair == "Dp":
            self._at += 2
            return self._type()
        if letter in ("N", "Z"):
            return self._name()
        return self._keep(self._name())

    def _function(self) -> str:
        self._at += 1
        self._takes("Y")
        result, parameters = _whole(self._type()), []
        while not self._takes("E"):
            parameters.append(_whole(self._type()))
        shown = ", ".join(parameters)
        return f"{result} {_SLOT}({'' if shown == 'void' else shown})"

    def _array(self) -> str:
        self._at += 1
        size = self._digits()
        if not self._takes("_"):
            self._fail(self._peek())
        return f"{_whole(self._type())} {_SLOT}[{size}]"


def _around(inner: str, sign: str) -> str:
    """A pointer to a type, or the like: of functions and arrays it stands in their middle."""
    if _INNER_SLOT in inner:
        return inner.replace(_INNER_SLOT, sign + _INNER_SLOT, 1)
    blank = " " if _SLOT + "[" in inner else ""
    return inner.replace(_SLOT, f"({sign.strip()}{_INNER_SLOT}){blank}", 1) if _SLOT in inner else inner + sign


def _whole(shown: str) -> str:
    """A type that nothing is put around any more."""
    return shown.replace(_INNER_SLOT, "").replace(_SLOT, "")
