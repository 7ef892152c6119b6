"""Offer all schedules where ported programs look for them: `optim.lr_scheduler`."""

from typing import NoReturn

from ..absent import signpost
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
from .schedules import (
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearWarmup,
    ReduceLROnPlateau,
    Schedule,
    StepLR,
)

LRScheduler = _LRScheduler = Schedule

__all__ = [
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
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "Schedule",
    "SequentialLR",
    "StepLR",
]


def __getattr__(name: str) -> NoReturn:
    """Say what to use instead of a name that is missing here."""
    signpost(__name__, name, __all__)
