"""librdkafka's built-in broker as a process: `python -m local.kafka.memory ADDRESS_FILE`.

It speaks Kafka's protocol with nothing to install, keeps about 5 MB per partition in memory and drops
the oldest silently; never use it for a claim about loss. Its port is chosen by librdkafka, so the
address is written to a file once it answers.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from confluent_kafka import Producer


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    address_file = Path(sys.argv[1])
    stop = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)
    broker = Producer({"bootstrap.servers": "ignored:1", "test.mock.num.brokers": 1, "log_level": 3})
    metadata = broker.list_topics(timeout=10)
    address = next(f"{node.host}:{node.port}" for node in metadata.brokers.values())
    address_file.parent.mkdir(parents=True, exist_ok=True)
    fresh = address_file.with_suffix(".new")
    fresh.write_text(address)
    fresh.replace(address_file)
    signal.sigwait(stop)


if __name__ == "__main__":
    main()
