-- One row a message that could not be an event.
with source as (

    select * from {{ source('raw', 'dead_letters') }}

)

select
    error_class as reject_reason,
    error_text as reject_text,
    length(payload) as payload_bytes,
    kafka_topic,
    kafka_partition,
    kafka_offset,
    kafka_timestamp as sent_at,
    ingested_at
from source
