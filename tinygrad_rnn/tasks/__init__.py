"""Train, measure, show and ask the systems of the notes, by one command or by programs.

    tinygrad-rnn train characters        (in a clone: python tools/train.py characters)
    tinygrad-rnn sample out/characters

`task` says what a task is; each file named in `task_list` is one: data, model, loss, measure and
pictures on a page. `running` trains and keeps it, `result_page` shows it with `figures`,
`data_sources` knows what data there are, `command` is the command.
"""

from .running import Result, restored, train
from .task import DataError, Goal, Known, Task, TaskSettings
from .task_list import TASKS, task_of

__all__ = [
           "TASKS",
           "DataError",
           "Goal",
           "Known",
           "Result",
           "Task",
           "TaskSettings",
           "restored",
           "task_of",
           "train",
]  # fmt: skip
