"""Whether the marts have folded in all that landed on a day: only then they lose nothing when it leaves raw."""

from __future__ import annotations

from datetime import date
from typing import Final

from clickhouse_connect.driver.client import Client

from archive.contents import Offsets
from contracts.names import MODEL_WATERMARKS, RAW_REWINDS

_WATERMARKS: Final = f"SELECT model, kafka_topic, kafka_partition, kafka_offset FROM {MODEL_WATERMARKS} FINAL"  # noqa: S608
# Rows of a rewind land below the watermarks: a model has read them when its last run saw what landed after its end,
# with the margin for clocks that the models have (macros/landing_window.sql).
_REWOUND: Final = f"""
SELECT mark.model, rewound.kafka_topic, rewound.kafka_partition
FROM (SELECT * FROM {MODEL_WATERMARKS} FINAL) AS mark
INNER JOIN
(
    SELECT kafka_topic, kafka_partition, min(at) AS began_at,
        if(max(is_done), maxIf(at, is_done), toDateTime64('2200-01-01', 3, 'UTC')) AS ended_at
    FROM {RAW_REWINDS} GROUP BY kafka_topic, kafka_partition, run
) AS rewound ON mark.kafka_topic = rewound.kafka_topic AND mark.kafka_partition = rewound.kafka_partition
WHERE toDate(rewound.began_at) <= {{day:Date}} AND rewound.ended_at + INTERVAL 10 SECOND >= mark.since
ORDER BY mark.model LIMIT 1"""  # noqa: S608 - constant names


def not_folded_in(client: Client, day: date, offsets: Offsets) -> str | None:
    """Return which model has not read all of the day, in words; None when all have. Inside `mapped_errors`.

    Args:
        client: of ClickHouse.
        day: of landing.
        offsets: what raw.events holds of it.
    """
    marks: dict[str, dict[tuple[str, int], int]] = {}
    for model, topic, partition, offset in client.query(_WATERMARKS).result_rows:
        marks.setdefault(model, {})[topic, partition] = offset
    if not marks and offsets:
        return "the marts have read nothing yet: build them first (Dagster, or dbt run)"
    for model, read in sorted(marks.items()):
        for (topic, partition), span in offsets.items():
            if read.get((topic, partition), -1) < span.last:
                return f"the model {model} has not read {topic}:{partition} up to {span.last} (ops.model_watermarks)"
    for model, topic, partition in client.query(_REWOUND, parameters={"day": day}).result_rows:
        return f"the model {model} has not read what a rewind of {topic}:{partition} wrote"
    return None
