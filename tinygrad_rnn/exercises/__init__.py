"""Check answers to the book's exercises and name the mistake; programs call `check`.

An answer is a function (or a value) written by the reader. It runs on random inputs of random
shapes beside a reference; a wrong result is compared with what known mistakes give. Nothing is
shown of the solution; `hint("04.2")` gives one hint more at each call. No files, no network.
"""

from .checking import Verdict, check, hint
from .registry import exercises, question

__all__ = ["Verdict", "check", "exercises", "hint", "question"]
