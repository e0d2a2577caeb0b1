"""How far the topics are, and who of the workers lives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prometheus_client.core import Metric as Family

from audit.standing import kafka_standing
from contracts import platform_metrics as metrics
from contracts.clock import Clock
from contracts.exposition import family
from contracts.settings import Settings

# Each of the broker's answers may take so long; a broker that is away does not answer the first.
_ANSWER_SECONDS: Final = 5.0


def look_at_kafka(settings: Settings, clock: Clock) -> Iterator[Family]:
    """Yield what the broker says about the topics of KAFKA_TOPIC and the workers' group.

    Raises:
        RetryLater: it does not answer.
        Permanent: it refuses.
    """
    standing = kafka_standing(settings, min(_ANSWER_SECONDS, settings.kafka_consumer_timeout_ms / 1000))
    now = clock.now()
    yield family(
        metrics.END,
        {(topic, str(number)): end for topic, ends in standing.ends.items() for number, end in ends.items()},
    )
    yield family(
        metrics.NEWEST_MESSAGE_AGE,
        {(topic,): max(0.0, (now - at).total_seconds()) for topic, at in standing.newest.items()},
    )
    # The broker in memory does not tell; then there is no series.
    yield family(metrics.WORKERS, {} if standing.workers is None else {(): len(standing.workers)})
