"""Turn text into numbers: vocabularies, streams, batches; programs begin here.

Files may be of any size and script: nothing holds more than a batch. Read `vocabulary`, then
`streams` (one long text) or `batches` (many short ones); `reading` is how both meet a file.

>>> letters = CharVocabulary.of("abcdefghijk")
>>> for x, y in Streams(letters.encode("abcdefghijk"), batch_size=2, steps=3):
...     print(letters.decode(x[:, 0].tolist()), "→", letters.decode(y[:, 0].tolist()))
abc → bcd
de → ef
"""

from .batches import Batches, Padded, collate, pad
from .reading import Columns, Lines, TextError, read_lines, read_text
from .streams import Streams
from .tokens import Tokens
from .vocabulary import ByteVocabulary, CharVocabulary, Vocabulary, WordVocabulary

__all__ = [
    "Batches",
    "ByteVocabulary",
    "CharVocabulary",
    "Columns",
    "Lines",
    "Padded",
    "Streams",
    "TextError",
    "Tokens",
    "Vocabulary",
    "WordVocabulary",
    "collate",
    "pad",
    "read_lines",
    "read_text",
]
