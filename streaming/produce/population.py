"""The shop's users: who they are, on which devices, from where, with which habits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streaming.produce.catalogue import CATEGORIES
from streaming.produce.experiments import arm_shares

_CHROME = "Mozilla/5.0 ({}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0{} Safari/537.36"
_SAFARI = "Mozilla/5.0 ({}) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6{} Safari/605.1.15"
_FIREFOX = "Mozilla/5.0 ({}; rv:143.0) Gecko/20100101 Firefox/143.0"


@dataclass(frozen=True)
class Device:
    """A kind of device: contract fields and how common it is (relative)."""

    type: str
    name: str
    viewport: str
    user_agent: str
    weight: float


DEVICES: Final = (
    Device(
        "mobile",
        "iPhone 16",
        "393x852",
        _SAFARI.format("iPhone; CPU iPhone OS 18_6 like Mac OS X", " Mobile/15E148"),
        16,
    ),
    Device(
        "mobile",
        "iPhone 13",
        "390x844",
        _SAFARI.format("iPhone; CPU iPhone OS 17_7 like Mac OS X", " Mobile/15E148"),
        10,
    ),
    Device("mobile", "Galaxy S24", "360x780", _CHROME.format("Linux; Android 15; SM-S921B", " Mobile"), 12),
    Device("mobile", "Galaxy A54", "360x800", _CHROME.format("Linux; Android 14; SM-A546B", " Mobile"), 9),
    Device("mobile", "Pixel 9", "412x915", _CHROME.format("Linux; Android 15; Pixel 9", " Mobile"), 6),
    Device("desktop", "Windows PC", "1920x1080", _CHROME.format("Windows NT 10.0; Win64; x64", ""), 18),
    Device("desktop", "Windows Laptop", "1536x864", _FIREFOX.format("Windows NT 10.0; Win64; x64"), 6),
    Device("desktop", "MacBook", "1440x900", _SAFARI.format("Macintosh; Intel Mac OS X 10_15_7", ""), 9),
    Device("desktop", "Linux PC", "2560x1440", _FIREFOX.format("X11; Linux x86_64"), 3),
    Device("tablet", "iPad", "820x1180", _SAFARI.format("iPad; CPU OS 18_6 like Mac OS X", " Mobile/15E148"), 5),
    Device("tablet", "Galaxy Tab S9", "800x1280", _CHROME.format("Linux; Android 14; SM-X710", ""), 2),
)
COUNTRIES: Final = {
    "US": 34, "GB": 12, "DE": 10, "FR": 7, "CA": 6, "IN": 5, "BR": 4, "AU": 4, "NL": 3, "ES": 3,
    "IT": 3, "SE": 2, "PL": 2, "JP": 2, "CH": 1, "AT": 1, "MX": 1,
}  # fmt: skip


@dataclass(frozen=True)
class Population:
    """Users in columns; position i is the same user in each.

    Args:
        user_ids: text identifiers.
        country: two-letter codes.
        ip_address: dotted addresses.
        devices: shape (users, 2), indexes into `DEVICES`: the usual one and the other one.
        favourite: index into `CATEGORIES` of the category the user likes best.
        arm: index into `experiments.ARMS`; 0 is none.
        activity: running total of the users' relative activity, ending in 1, for drawing by bisection.
    """

    user_ids: tuple[str, ...]
    country: tuple[str, ...]
    ip_address: tuple[str, ...]
    devices: NDArray[np.int64]
    favourite: NDArray[np.int64]
    arm: NDArray[np.int64]
    activity: NDArray[np.float64]

    def draw(self, rng: np.random.Generator, size: int) -> NDArray[np.int64]:
        """Draw the users of `size` sessions; regulars come more often than others."""
        found = np.searchsorted(self.activity, rng.random(size), side="right")
        return np.minimum(found, len(self.user_ids) - 1)


def make_population(seed: int, users: int) -> Population:
    """Return the population of `users` users that belongs to `seed`."""
    rng = np.random.default_rng([seed, 2])
    weights = np.array([device.weight for device in DEVICES])
    countries = np.array(list(COUNTRIES.values()), dtype=float)
    shares = np.array(arm_shares())
    # Log-normal with sigma 1: the busiest tenth of the users makes about 40 % of the visits.
    activity = np.cumsum(rng.lognormal(0.0, 1.0, users))
    names = list(COUNTRIES)
    return Population(
        user_ids=tuple(f"user-{number:06d}" for number in range(1, users + 1)),
        country=tuple(names[index] for index in rng.choice(len(names), users, p=countries / countries.sum())),
        ip_address=tuple(_address(int(number)) for number in rng.integers(0, 2**17, users)),
        devices=rng.choice(len(DEVICES), (users, 2), p=weights / weights.sum()),
        favourite=rng.integers(0, len(CATEGORIES), users),
        arm=rng.choice(len(shares), users, p=shares / shares.sum()),
        activity=activity / activity[-1],
    )


def _address(number: int) -> str:
    """Return an address of 198.18.0.0/15, the network RFC 2544 sets aside: it belongs to nobody."""
    return f"198.{18 + (number >> 16)}.{(number >> 8) & 255}.{number & 255}"
