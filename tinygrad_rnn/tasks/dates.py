"""Translate dates as people write them, from `task_list`: "7. März 1984" → "1984-03-07".

With babel installed in 24 locales of CLDR, else in twelve languages that are written out here.
"""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np

from .task import Goal, TaskSettings
from .translation import Translation, kept_apart

LOCALES = ("en_US en_GB de fr es it pt nl sv da nb fi pl cs hu ro tr el ru uk id vi hr ca").split()
STYLES = ("medium", "long", "full")
BUILT_IN = """\
{d} {m} {y}|{m} {d}, {y}: january february march april may june july august september october november december
{d}. {m} {y}: januar februar märz april mai juni juli august september oktober november dezember
{d} {m} {y}: janvier février mars avril mai juin juillet août septembre octobre novembre décembre
{d} de {m} de {y}: enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre
{d} {m} {y}: gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre
{d} de {m} de {y}: janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro
{d} {m} {y}: januari februari maart april mei juni juli augustus september oktober november december
den {d} {m} {y}: januari februari mars april maj juni juli augusti september oktober november december
{d}. {m}ta {y}: tammikuu helmikuu maaliskuu huhtikuu toukokuu kesäkuu heinäkuu elokuu syyskuu lokakuu marraskuu joulukuu
{d} {m} {y}: stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia
{d} {m} {y}: ocak şubat mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık
{y}. {m} {d}.: január február március április május június július augusztus szeptember október november december
{d}.{n}.{y}|{y}/{n:02}/{d:02}: 1 2 3 4 5 6 7 8 9 10 11 12"""  # noqa: E501
FIRST, DAYS = datetime.date(1900, 1, 1), 55_000  # up to 2050


class Dates(Translation):
    """Learn to read dates in many languages; a tenth of all days is held out."""

    name, title = "dates", "Dates of many languages, translated with attention"
    asks = 'a date: sample out/dates "7. März 1984"'
    goal = Goal("share exactly right", least=0.98)
    defaults = TaskSettings(hidden=64, steps=600, batch=32, rate=1e-2)
    writers: list[Any]

    def prepare(self) -> None:
        """Ask babel for the locales' own ways, or take those above."""
        try:
            from babel.dates import format_date, get_date_format
        except ImportError:
            self.writers = [
                written(way, months.split())
                for line in BUILT_IN.splitlines()
                for ways, _, months in [line.partition(": ")]
                for way in ways.split("|")
            ]
            return
        ways = [(get_date_format(style, locale), locale) for locale in LOCALES for style in STYLES]
        self.writers = [lambda day, w=way, l=locale: format_date(day, w, l) for way, locale in ways]

    def pair(self, random: np.random.Generator, held: bool) -> tuple[str, str]:
        """Return a date in one of the ways, and in ISO's."""
        k = int(random.integers(DAYS))
        while kept_apart(k) != held:
            k = int(random.integers(DAYS))
        day = FIRST + datetime.timedelta(days=k)
        return self.writers[random.integers(len(self.writers))](day), day.isoformat()


def written(way: str, months: list[str]) -> Any:
    """Return a function that writes a day in one of the ways above."""
    return lambda day: way.format(d=day.day, m=months[day.month - 1], n=day.month, y=day.year)
