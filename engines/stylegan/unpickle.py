"""A machine for pickles of strangers that imports nothing and runs nothing of theirs.

A pickle is a program for a small stack machine that may call any function it can name. The machine here knows
the instructions that PyTorch's pickles consist of and looks names up in a table that its caller gives, whose
functions are our own. Everything is counted and bounded (`Budget`); it keeps no recursion.
"""

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import IO, Any, NoReturn

from engines.errors import ModelError

MAX_KEY = 1 << 32  # integers beyond may be chosen to collide in a dictionary
MAX_NAME = 200
SHOWN_CHARACTERS = 60

_VALUES = frozenset(
    {
        *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
        *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
    }
)
_CONSTANTS = MappingProxyType({"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()})
_TUPLES = MappingProxyType({"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3})
_NOTHING = frozenset({"PROTO", "FRAME"})


@dataclass
class Budget:
    """What is left to a file while it is read."""

    instructions: int
    remembered: int  # values kept for later use
    storage_bytes: int
    tensor_bytes: int

    def spend(self, kind: str, amount: int = 1) -> None:
        """Raise ModelError when more is asked for than is left."""
        left = getattr(self, kind) - amount
        if left < 0:
            raise ModelError(
                f"The file asks for more than any StyleGAN model needs ({kind.replace('_', ' ')}). "
                "Nothing of it was run. Get it again from where it was published."
            )
        setattr(self, kind, left)


@dataclass(frozen=True, eq=False)
class Global:
    """A name of the table and what stands for calling it."""

    name: str
    call: Callable[[Budget, Any], Any]


class Buildable:
    """What the instruction BUILD may complete."""

    def build(self, state: Any) -> None:
        """Take over a state as the pickle gives it. Raises one of `MALFORMED` where it has another form."""
        raise NotImplementedError


# What taking a malformed pickle apart can raise; callers turn it into one message.
MALFORMED = (ArithmeticError, AttributeError, EOFError, LookupError, TypeError, ValueError)


def printable(text: str) -> str:
    """A stranger's text for a message: ASCII, short, on one line."""
    shown = "".join(c if c.isascii() and c.isprintable() else "?" for c in text[: SHOWN_CHARACTERS + 1])
    return shown if len(shown) <= SHOWN_CHARACTERS else shown[:SHOWN_CHARACTERS] + "..."


class Machine:
    """Reads one pickle from `file` and leaves the file behind its end."""

    def __init__(
        self,
        file: IO[bytes],
        budget: Budget,
        names: Mapping[str, Global],
        load_persistent: Callable[[Any], Any] | None = None,
    ) -> None:
        self._file = file
        self._budget = budget
        self._names = names
        self._load_persistent = load_persistent
        self._stack: list[Any] = []
        self._marks: list[int] = []  # heights of the stack
        self._memo: dict[int, Any] = {}
        self._handlers: Mapping[str, Callable[[Any], None]] = {
            "MARK": self._mark,
            "MEMOIZE": self._remember,
            "BINPUT": self._remember,
            "LONG_BINPUT": self._remember,
            "BINGET": self._recall,
            "LONG_BINGET": self._recall,
            "EMPTY_DICT": self._new_dict,
            "EMPTY_LIST": self._new_list,
            "EMPTY_SET": self._new_set,
            "TUPLE": self._tuple,
            "APPEND": self._append,
            "APPENDS": self._appends,
            "ADDITEMS": self._add_items,
            "SETITEM": self._set_item,
            "SETITEMS": self._set_items,
            "GLOBAL": self._global,
            "STACK_GLOBAL": self._stack_global,
            "REDUCE": self._reduce,
            "NEWOBJ": self._reduce,  # calling a class and its __new__ is the same for what the table holds
            "BUILD": self._build,
            "BINPERSID": self._persistent,
        }

    def run(self) -> Any:
        """The value the pickle describes. Raises ModelError for what is refused, else one of MALFORMED."""
        for instruction, argument, _ in pickletools.genops(self._file):
            self._budget.spend("instructions")
            name = instruction.name
            if name == "STOP":
                return self._pop()
            if name in _VALUES:
                self._stack.append(argument)
            elif name in _CONSTANTS:
                self._stack.append(_CONSTANTS[name])
            elif name in _TUPLES:
                self._stack.append(tuple(reversed([self._pop() for _ in range(_TUPLES[name])])))
            elif name not in _NOTHING:
                if name not in self._handlers:
                    _refuse_instruction(name)
                self._handlers[name](argument)
        raise EOFError

    def _pop(self) -> Any:
        if self._marks and len(self._stack) <= self._marks[-1]:
            raise ValueError("an instruction reaches below a mark")
        return self._stack.pop()

    def _pop_to_mark(self) -> list[Any]:
        height = self._marks.pop()
        items = self._stack[height:]
        del self._stack[height:]
        return items

    def _mark(self, _: Any) -> None:
        self._marks.append(len(self._stack))

    def _remember(self, index: Any) -> None:
        self._budget.spend("remembered")
        self._memo[len(self._memo) if index is None else index] = self._stack[-1]

    def _recall(self, index: Any) -> None:
        self._stack.append(self._memo[index])

    def _new_dict(self, _: Any) -> None:
        self._stack.append({})

    def _new_list(self, _: Any) -> None:
        self._stack.append([])

    def _new_set(self, _: Any) -> None:
        self._stack.append(set())

    def _tuple(self, _: Any) -> None:
        self._stack.append(tuple(self._pop_to_mark()))

    def _append(self, _: Any) -> None:
        self._extend([self._pop()])

    def _appends(self, _: Any) -> None:
        self._extend(self._pop_to_mark())

    def _extend(self, items: list[Any]) -> None:
        _expect(list, self._stack[-1]).extend(items)

    def _add_items(self, _: Any) -> None:
        items = self._pop_to_mark()
        _expect(set, self._stack[-1]).update(_expect(str, item) for item in items)

    def _set_item(self, _: Any) -> None:
        value, key = self._pop(), self._pop()
        self._update([key, value])

    def _set_items(self, _: Any) -> None:
        self._update(self._pop_to_mark())

    def _update(self, items: list[Any]) -> None:
        target = _expect(dict, self._stack[-1])
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(key) is not str and not (type(key) is int and -MAX_KEY < key < MAX_KEY):
                raise TypeError("a key is neither text nor a small number")
            target[key] = value

    def _global(self, argument: Any) -> None:
        self._stack.append(self._look_up(argument))

    def _stack_global(self, _: Any) -> None:
        name, module = _expect(str, self._pop()), _expect(str, self._pop())
        self._stack.append(self._look_up(f"{module[:MAX_NAME]} {name[:MAX_NAME]}"))

    def _look_up(self, name: str) -> Global:
        if name in self._names:
            return self._names[name]
        if name.startswith("dnnlib.tflib"):
            raise ModelError(
                "This model was made with the TensorFlow version of StyleGAN. Convert it with legacy.py of "
                "stylegan2-ada-pytorch first; the .pkl that it writes can be read here."
            )
        raise ModelError(
            f"The file asks for {printable(name).replace(' ', '.')}, which no StyleGAN2-ADA or StyleGAN3 "
            "model needs. Nothing of it was run. Do not use this file elsewhere; "
            "get the model from where it was published."
        )

    def _reduce(self, _: Any) -> None:
        arguments, function = _expect(tuple, self._pop()), _expect(Global, self._pop())
        self._stack.append(function.call(self._budget, arguments))

    def _build(self, _: Any) -> None:
        state, target = self._pop(), self._stack[-1]
        if not isinstance(target, Buildable):
            raise TypeError("an object takes no state")
        target.build(state)

    def _persistent(self, _: Any) -> None:
        if self._load_persistent is None:
            _refuse_instruction("BINPERSID")
        self._stack.append(self._load_persistent(self._pop()))


def _expect(kind: type[Any], value: Any) -> Any:
    if type(value) is not kind:
        raise TypeError("a value is of another kind")
    return value


def _refuse_instruction(name: str) -> NoReturn:
    raise ModelError(
        f"The file holds the instruction {name}, which PyTorch does not write for a StyleGAN model. "
        "Nothing of it was run. Get the model from where it was published."
    )
