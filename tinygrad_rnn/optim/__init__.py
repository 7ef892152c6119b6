"""Offer optimisers and learning-rate schedules in PyTorch's names to programs and `training`."""

from typing import NoReturn

from ..absent import signpost
from . import lr_scheduler
from .adaptive import ASGD, NTASGD, Adadelta, Adamax, NAdam, Rprop
from .base import Optimizer
from .lbfgs import LBFGS
from .more_schedules import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    SequentialLR,
)
from .optimizers import SGD, Adagrad, Adam, AdamW, RMSprop
from .schedules import (
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearWarmup,
    ReduceLROnPlateau,
    Schedule,
    StepLR,
)

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
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LambdaLR",
    "LinearLR",
    "LinearWarmup",
    "MultiStepLR",
    "MultiplicativeLR",
    "NAdam",
    "OneCycleLR",
    "Optimizer",
    "PolynomialLR",
    "RMSprop",
    "ReduceLROnPlateau",
    "Rprop",
    "Schedule",
    "SequentialLR",
    "StepLR",
    "lr_scheduler",
]


def __getattr__(name: str) -> NoReturn:
    """Say what to use instead of a name that is missing here."""
    signpost(__name__, name, __all__)
