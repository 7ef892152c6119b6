"""Offer optimisers and learning-rate schedules in PyTorch's names to programs and `training`."""

from typing import NoReturn

from ..absent import signpost
from . import lr_scheduler
from .adaptive import ASGD, NTASGD, Adadelta, Adamax, NAdam, Rprop
from .base import Optimizer
from .lbfgs import LBFGS
from .lr_scheduler import *
from .optimizers import SGD, Adagrad, Adam, AdamW, RMSprop

__all__ = [
    "ASGD",
    "LBFGS",
    "NTASGD",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "NAdam",
    "Optimizer",
    "RMSprop",
    "Rprop",
    "lr_scheduler",
]
__all__ += lr_scheduler.__all__


def __getattr__(name: str) -> NoReturn:
    """Say what to use instead of a name that is missing here."""
    signpost(__name__, name, __all__)
