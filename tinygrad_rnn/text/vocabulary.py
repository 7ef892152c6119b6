"""Number the characters, words or bytes of a text; programs call it.

The first numbers are the specials, in this order: <PAD> fills up, <UNK> stands for what is unknown,
<BOS> and <EOS> mark beginning and end. After them the tokens come by falling frequency.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from ..engine.atomic_write import atomic_write
from .reading import Path, TextError, read_text
from .tokens import Tokens

SPECIALS = ("<PAD>", "<UNK>", "<BOS>", "<EOS>")


class Vocabulary:
    """Tokens and their numbers; a subclass says what a token is: `split` and `join`.

    >>> letters = CharVocabulary.of("abracadabra")
    >>> len(letters), letters.tokens[4:]
    (9, ['a', 'b', 'r', 'c', 'd'])
    >>> letters.encode("bad!", eos=True)
    array([5, 4, 8, 1, 3])
    >>> letters.decode([5, 4, 8])
    'bad'
    """

    kind: ClassVar[str] = ""
    line_end = "\n"  # what stands between two lines in a file that is read as one stream

    def __init__(self, tokens: Iterable[str], specials: Sequence[str] = SPECIALS):
        unknown = set(specials) - set(SPECIALS)
        if unknown:
            raise ValueError(f"unknown specials {sorted(unknown)}; there are {', '.join(SPECIALS)}")
        self.specials = tuple(specials)
        self.tokens = [*specials, *(token for token in tokens if token not in self.specials)]
        self.numbers = {token: k for k, token in enumerate(self.tokens)}
        if len(self.numbers) != len(self.tokens):
            twice = [token for token, n in Counter(self.tokens).items() if n > 1]
            raise ValueError(f"tokens stand twice in the vocabulary: {twice[:5]}")

    @classmethod
    def of(cls, text: str | Iterable[str], min_count: int = 1, max_size: int | None = None,
           specials: Sequence[str] = SPECIALS) -> Any:  # fmt: skip
        """Return the vocabulary of a text, or of pieces of text, by falling frequency.

        Tokens met less than `min_count` times are left out, and the rarest beyond `max_size`
        tokens, specials included; those equally frequent are in alphabetical order.
        """
        counts = cls.counts_of([text] if isinstance(text, str) else text)
        order = sorted(counts, key=lambda token: (-counts[token], token))
        kept = [token for token in order if counts[token] >= min_count and token not in specials]
        room = None if max_size is None else max(0, max_size - len(specials))
        return cls(kept[:room], specials)

    @classmethod
    def of_file(cls, path: Path, min_count: int = 1, max_size: int | None = None,
                specials: Sequence[str] = SPECIALS) -> Any:  # fmt: skip
        """Return the vocabulary of a text file of any size; TextError if nothing is in it."""
        made = cls.of(read_text(path), min_count, max_size, specials)
        if len(made) == len(made.specials):
            raise TextError(f"{path}: no token in it that occurs {min_count} times or more")
        return made

    @classmethod
    def counts_of(cls, pieces: Iterable[str]) -> Counter[str]:
        """Return how often each token is met."""
        counts: Counter[str] = Counter()
        for tokens in cls.tokens_of(pieces):
            counts.update(tokens)
        return counts

    @staticmethod
    def split(text: str) -> Sequence[str]:
        """Return the tokens of a text."""
        raise NotImplementedError

    @staticmethod
    def join(tokens: Iterable[str]) -> str:
        """Return the text of tokens."""
        raise NotImplementedError

    @classmethod
    def tokens_of(cls, pieces: Iterable[str]) -> Iterator[Sequence[str]]:
        """Yield the tokens of a text that comes in pieces, cut anywhere."""
        return (cls.split(piece) for piece in pieces)

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: object) -> bool:
        return token in self.numbers

    def __getitem__(self, token: str) -> int:
        """Return a token's number, or that of <UNK>; KeyError if there is no <UNK>."""
        number = self.numbers.get(token, self.numbers.get("<UNK>"))
        if number is None:
            raise KeyError(f"{token!r} is not in the vocabulary, which has no <UNK>")
        return number

    def __eq__(self, other: Any) -> bool:
        return type(self) is type(other) and self.state_dict() == other.state_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        first = " ".join(map(repr, self.tokens[:9]))
        return f"<{type(self).__name__} of {len(self)} tokens: {first} …>"

    @property
    def pad(self) -> int:
        return self.numbers["<PAD>"]

    @property
    def unk(self) -> int:
        return self.numbers["<UNK>"]

    @property
    def bos(self) -> int:
        return self.numbers["<BOS>"]

    @property
    def eos(self) -> int:
        return self.numbers["<EOS>"]

    def encode(self, text: str, bos: bool = False, eos: bool = False) -> np.ndarray:
        """Return the numbers of a text, int64, with <BOS> before and <EOS> after it if wanted."""
        numbers = self.numbers_of(self.split(text))
        ends = [self.bos] if bos else [], [self.eos] if eos else []
        return np.concatenate([ends[0], numbers, ends[1]]).astype(np.int64)

    def numbers_of(self, tokens: Sequence[str]) -> np.ndarray:
        """Return the number of each token."""
        find, unknown = self.numbers.get, self.numbers.get("<UNK>")
        numbers = [find(token, unknown) for token in tokens]
        if unknown is None and None in numbers:
            return np.array([self[token] for token in tokens])  # names the one that is not there
        return np.array(numbers, np.int64)

    def decode(self, numbers: Iterable[Any]) -> str:
        """Return the text of numbers; <PAD>, <BOS> and <EOS> are left out."""
        silent = {self.numbers.get(name) for name in ("<PAD>", "<BOS>", "<EOS>")}
        return self.join(self.tokens[int(n)] for n in numbers if int(n) not in silent)

    def encode_file(self, path: Path) -> Tokens:
        """Return the numbers of a whole file, kept on the disk if there are many.

        A word vocabulary puts <EOS> where a line ends.
        """
        tokens = Tokens(len(self))
        for part in self.tokens_of(read_text(path)):
            tokens.append(self.numbers_of(part))
        if not len(tokens):
            raise TextError(f"{path}: no token in it")
        return tokens

    def state_dict(self) -> dict[str, Any]:
        """Return the vocabulary as plain values."""
        return {"kind": self.kind, "specials": list(self.specials),
                "tokens": self.tokens[len(self.specials) :]}  # fmt: skip

    @staticmethod
    def from_state_dict(state: Mapping[str, Any]) -> Any:
        """Return the vocabulary that `state_dict` described."""
        kinds = {kind.kind: kind for kind in (CharVocabulary, WordVocabulary, ByteVocabulary)}
        if not isinstance(state, Mapping) or str(state.get("kind")) not in kinds:
            raise ValueError(f"no vocabulary: it should say of which kind, {', '.join(kinds)}")
        for name in ("specials", "tokens"):
            values = state.get(name)
            if not isinstance(values, list) or not all(type(v) is str for v in values):
                raise ValueError(f"no vocabulary: its {name} should be a list of strings")
        return kinds[state["kind"]](state["tokens"], state["specials"])

    def save(self, path: Path) -> None:
        """Write the vocabulary as JSON."""
        text = json.dumps(self.state_dict(), ensure_ascii=False, indent=0)
        atomic_write(os.fspath(path), text.encode("utf-8", "surrogatepass"))

    @staticmethod
    def load(path: Path) -> Any:
        """Return the vocabulary in a JSON file; ValueError names the file and what is wrong."""
        with open(path, "rb") as file:
            data = file.read()
        try:
            return Vocabulary.from_state_dict(json.loads(data.decode("utf-8", "surrogatepass")))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}: {error}") from None


class CharVocabulary(Vocabulary):
    """Number characters: a token is a code point of Unicode; the end of a line is one too."""

    kind = "char"

    @classmethod
    def counts_of(cls, pieces: Iterable[str]) -> Counter[str]:
        """Count by code point: some ten times as fast as by string."""
        total = np.zeros(sys.maxunicode + 1, np.int64)
        for piece in pieces:
            found = np.bincount(_codes(piece))
            total[: len(found)] += found
        return Counter({chr(code): int(total[code]) for code in np.flatnonzero(total)})

    def numbers_of(self, tokens: Sequence[str]) -> np.ndarray:
        """Look all characters up in one table: a gigabyte of them has to be quick."""
        codes = _codes("".join(tokens))
        numbers = self.table[np.minimum(codes, len(self.table) - 1)]
        for k in np.flatnonzero(numbers < 0):
            numbers[k] = self[chr(codes[k])]
        return numbers

    @cached_property
    def table(self) -> np.ndarray:
        """Number by code point, -1 for what is not in the vocabulary; the last is such a one."""
        codes = {ord(token): k for k, token in enumerate(self.tokens) if len(token) == 1}
        table = np.full(max(codes, default=0) + 2, -1)
        table[list(codes)] = list(codes.values())
        return table

    @staticmethod
    def split(text: str) -> Sequence[str]:
        return text

    @staticmethod
    def join(tokens: Iterable[str]) -> str:
        return "".join(tokens)


def _codes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.int64)


class WordVocabulary(Vocabulary):
    """Number words: a token is a run between blanks; in a file the end of a line is <EOS>.

    >>> words = WordVocabulary.of("the cat and the dog")
    >>> words.decode(words.encode("the  dog bites"))
    'the dog <UNK>'
    """

    kind = "word"

    @staticmethod
    def split(text: str) -> Sequence[str]:
        return text.split()

    @staticmethod
    def join(tokens: Iterable[str]) -> str:
        return " ".join(tokens)

    @classmethod
    def tokens_of(cls, pieces: Iterable[str]) -> Iterator[Sequence[str]]:
        rest = ""  # a word may go on in the next piece
        for piece in pieces:
            text = rest + piece
            cut = max(text.rfind(blank) for blank in " \t\n") + 1
            yield text[:cut].replace("\n", " <EOS> ").split()
            rest = text[cut:]
        yield rest.split()


class ByteVocabulary(Vocabulary):
    """Number bytes of UTF-8: nothing is unknown and 260 numbers do for every script.

    >>> ByteVocabulary().encode("é")
    array([199, 173])
    """

    kind = "byte"

    def __init__(self, tokens: Iterable[str] = tuple(map(chr, range(256))),
                 specials: Sequence[str] = SPECIALS):  # fmt: skip
        super().__init__(tokens, specials)

    @classmethod
    def of(cls, text: Any = "", min_count: int = 1, max_size: int | None = None,
           specials: Sequence[str] = SPECIALS) -> Any:  # fmt: skip
        """Return the one vocabulary of all bytes, in their own order."""
        return cls(map(chr, range(256)), specials)

    @staticmethod
    def split(text: str) -> Sequence[str]:
        return text.encode("utf-8", "surrogatepass").decode("latin1")

    @staticmethod
    def join(tokens: Iterable[str]) -> str:
        return "".join(tokens).encode("latin1").decode("utf-8", "replace")
