"""Intent of a request, from `task_list`: which of ten things does a user ask a machine to do?

Requests are made of patterns and of words for their gaps; some patterns of each intent and some of
the words are met in requests held out alone. `--data` takes any texts with their classes.
"""

from __future__ import annotations

import numpy as np

from .classification import Classification, Example
from .task import Goal, TaskSettings

PATTERNS = """\
weather: will it rain in CITY DAY|what is the weather in CITY DAY|how warm is it in CITY|do i need an umbrella in CITY DAY|is snow expected in CITY|what will the weather be like DAY in CITY
alarm: wake me at TIME|set an alarm for TIME DAY|i have to get up at TIME|ring at TIME please|i want to be woken DAY at TIME|please set the alarm to TIME
music: play some MUSIC|i want to hear MUSIC|put on MUSIC please|play me a song of MUSIC|let me listen to MUSIC|could you play some MUSIC now
light: turn on the light in the ROOM|it is too dark in the ROOM|switch off the lamp in the ROOM|make the ROOM brighter|turn off all lamps in the ROOM|switch the light in the ROOM on
travel: when does the next train to CITY leave|book a flight to CITY for DAY|i need a ticket to CITY|how do i get to CITY DAY|find me a train to CITY DAY|book a ticket to CITY
food: order a FOOD for TIME|i am hungry , get me a FOOD|have a FOOD delivered to my ROOM|i would like a FOOD|please bring me a FOOD at TIME|order me a FOOD please
message: tell PERSON that i am late|write to PERSON that i come DAY|send PERSON a message|let PERSON know that i am in CITY|send a message to PERSON that i am late|write PERSON that i am in CITY
call: call PERSON|phone PERSON at TIME|i have to speak to PERSON|dial the number of PERSON|please call PERSON DAY|i want to speak to PERSON at TIME
diary: what have i planned for DAY|am i free DAY at TIME|put a meeting with PERSON into my diary for DAY|cancel my meeting DAY|what meeting have i DAY at TIME|put a meeting at TIME into my diary
time: what time is it in CITY|how late is it|tell me the time|is it TIME already|what is the time in CITY|tell me how late it is in CITY"""  # noqa: E501
WORDS = {
    "CITY": "paris london tokyo berlin madrid oslo cairo lima rome boston dublin vienna",
    "DAY": "today tomorrow tonight on_monday on_friday this_week next_weekend on_sunday",
    "TIME": "seven half_past_six noon eight_thirty five_o'clock midnight nine ten_past_four",
    "MUSIC": "jazz mozart rock beethoven blues bach folk_songs tango brahms opera",
    "ROOM": "kitchen bedroom hall bathroom garage office cellar garden",
    "FOOD": "pizza salad curry sandwich soup burger pasta_dish cake",
    "PERSON": "anna my_brother peter maria my_boss julia the_doctor tom my_mother lena",
}


def filled(pattern: str, random: np.random.Generator, held: bool) -> str:
    """Return a pattern with its gaps filled; every fourth word is only in requests held out."""
    words = []
    for word in pattern.split():
        choice = WORDS.get(word, word).split()
        known = [w for k, w in enumerate(choice) if len(choice) == 1 or (k % 4 == 3) == held]
        words.append(known[random.integers(len(known))])
    return " ".join(words).replace("_", " ")


class Intent(Classification):
    """Learn what a request is for."""

    name, title = "intent", "Intent: what does a request ask for?"
    asks = 'a request: sample out/intent "please set the alarm to seven"'
    goal = Goal("share right", least=0.9)
    defaults = TaskSettings(hidden=32, steps=400, batch=32, rate=5e-3)

    hidden = 0.2

    def built_in(self) -> tuple[list[Example], list[Example]]:
        """Make requests; the last pattern of each intent is held out."""
        made: tuple[list[Example], list[Example]] = ([], [])
        for held in (False, True):
            random = np.random.default_rng(int(held))
            for line in PATTERNS.splitlines():
                name, _, ways = line.partition(": ")
                some = ways.split("|")[5:] if held else ways.split("|")[:5]
                made[held].extend((name, filled(way, random, held))
                                  for way in some for _ in range(30 if held else 60))  # fmt: skip
            random.shuffle(made[held])
        return made
