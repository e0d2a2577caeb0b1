"""Metrics of simulated users: each keeps the sums of one variation, an array entry an experiment."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestration.experiments.settings import Metric as Name

Floats = NDArray[np.float64]
Amounts = Callable[[np.random.Generator, int], Floats]


class Sums(ABC):
    """The sums of one variation in many experiments that run side by side.

    Args:
        experiments: how many.

    """

    def __init__(self, experiments: int) -> None:
        self.users = 0
        self.total, self.squares, self.counted = (np.zeros(experiments) for _ in range(3))

    @abstractmethod
    def act(self, random: np.random.Generator, arriving: int, effect: float) -> None:
        """Let users arrive, and all who are there do what they do until the next look.

        Args:
            random: the randomness.
            arriving: users that come.
            effect: true relative effect of the variation.

        """


@dataclass(frozen=True)
class Metric:
    """A metric, and how to begin to count it in a number of experiments."""

    name: Name
    start: Callable[[int], Sums]


class _Conversion(Sums):
    """Users convert with a probability when they come, and with another one at each later look."""

    def __init__(self, experiments: int, rate: float, later: float) -> None:
        super().__init__(experiments)
        self.rate, self.later = rate, later

    def act(self, random: np.random.Generator, arriving: int, effect: float) -> None:
        hits = random.binomial(arriving, self.rate * (1 + effect), self.total.size).astype(float)
        if self.later:
            waiting = (self.users - self.total).astype(np.int64)
            hits += random.binomial(waiting, self.later * (1 + effect))
        self.users += arriving
        self.total += hits
        self.squares, self.counted = self.total, self.total


class _Revenue(Sums):
    """Most users buy nothing, the others once when they come; the effect is on how many buy."""

    def __init__(self, experiments: int, rate: float, amounts: Amounts) -> None:
        super().__init__(experiments)
        self.rate, self.amounts = rate, amounts

    def act(self, random: np.random.Generator, arriving: int, effect: float) -> None:
        buyers = random.binomial(arriving, self.rate * (1 + effect), self.total.size)
        spent = self.amounts(random, int(buyers.sum()))
        owner = np.repeat(np.arange(self.total.size), buyers)
        self.users += arriving
        self.total += np.bincount(owner, spent, minlength=self.total.size)
        self.squares += np.bincount(owner, spent**2, minlength=self.total.size)
        self.counted += buyers


class _Events(Sums):
    """A user makes a negative binomial number of events: mean 9.5, standard deviation 13.8."""

    def act(self, random: np.random.Generator, arriving: int, effect: float) -> None:
        drawn = random.negative_binomial(0.5, 1 / (1 + 19 * (1 + effect)), (self.total.size, arriving)).astype(float)
        self.users += arriving
        self.total += drawn.sum(axis=1)
        self.squares += (drawn**2).sum(axis=1)
        self.counted = self.total


class _Acting(Sums):
    """All users who came go on acting between any two looks, each with the same small probability."""

    def __init__(self, experiments: int, rate: float, amounts: Amounts, most: int) -> None:
        super().__init__(experiments)
        self.rate, self.amounts = rate, amounts
        self.each = np.zeros((experiments, most))

    def act(self, random: np.random.Generator, arriving: int, effect: float) -> None:
        self.users += arriving
        times = random.binomial(self.users, self.rate * (1 + effect), self.total.size)
        owner = np.repeat(np.arange(self.total.size), times)
        amounts = self.amounts(random, owner.size)
        place = owner * self.each.shape[1] + random.integers(0, self.users, owner.size)
        touched, index = np.unique(place, return_inverse=True)
        added = np.bincount(index, amounts, minlength=touched.size)
        before = self.each.ravel()[touched]
        self.each.ravel()[touched] = before + added
        change = (before + added) ** 2 - before**2
        self.squares += np.bincount(touched // self.each.shape[1], change, minlength=self.total.size)
        self.total += np.bincount(owner, amounts, minlength=self.total.size)
        self.counted += times


def lognormal(random: np.random.Generator, size: int) -> Floats:
    """Order values: median 20, the largest of 10,000 about 1,700."""
    return random.lognormal(3.0, 1.2, size)


def pareto(random: np.random.Generator, size: int) -> Floats:
    """Order values with a tail so heavy that they have a variance and no third moment."""
    return 10 * (1 + random.pareto(2.2, size))


def one(random: np.random.Generator, size: int) -> Floats:  # noqa: ARG001 - has the form of the random amounts
    """Each act counts 1: events."""
    return np.ones(size)


def conversion(rate: float, later: float = 0.0) -> Metric:
    """Return a yes-or-no metric, of users who convert when they come, and later at each look."""
    return Metric("conversion", lambda experiments: _Conversion(experiments, rate, later))


def revenue(rate: float, amounts: Amounts) -> Metric:
    """Return revenue per user, of users who buy once or never."""
    return Metric("revenue_per_user", lambda experiments: _Revenue(experiments, rate, amounts))


def events() -> Metric:
    """Return events per user, of users who make all of theirs when they come."""
    return Metric("events_per_user", _Events)


def acting(name: Name, rate: float, amounts: Amounts, most: int) -> Metric:
    """Return a metric of users who go on acting for ever; at most `most` users a variation."""
    return Metric(name, lambda experiments: _Acting(experiments, rate, amounts, most))
