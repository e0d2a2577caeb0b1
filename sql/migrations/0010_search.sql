-- Search over what clients sent: a bloom filter of the words in each granule (8,192 rows) of the fields people look
-- for, half a byte an event; docs/adr/0007 has what else was measured. The words of properties are those of the text
-- without JSON's escapes. `search/fields.py` repeats the expression: ClickHouse takes an index for the same one only.
ALTER TABLE raw.events {on_cluster} ADD INDEX IF NOT EXISTS words tokens(lowerUTF8(concatWithSeparator(' ',
    user_id, session_id, item_id, page_url, search_query, element_id,
    if(position(properties, '\\') = 0, properties, coalesce(nullIf(JSONExtractString(concat('["', translate(
        replaceAll(replaceAll(properties, '\\\\', ' '), '\\"', ' '), '"\n\r\t', '    '), '"]'), 1), ''), properties))
))) TYPE bloom_filter(0.02) GRANULARITY 1;

-- Rows that are there already get it in the background; until then their parts are read row by row.
ALTER TABLE raw.events {on_cluster} MATERIALIZE INDEX words SETTINGS mutations_sync = 0;

-- Pays for the index: new and merged parts are smaller by four bytes an event. A time of whole milliseconds in a
-- column of microseconds loses its zeros by GCD.
ALTER TABLE raw.events {on_cluster}
    MODIFY COLUMN event_id CODEC(ZSTD(1)),
    MODIFY COLUMN event_type CODEC(ZSTD(1)),
    MODIFY COLUMN event_time CODEC(GCD, Delta(8), ZSTD(1)),
    MODIFY COLUMN session_id CODEC(ZSTD(3)),
    MODIFY COLUMN page_url CODEC(ZSTD(3)),
    MODIFY COLUMN properties CODEC(ZSTD(3)),
    MODIFY COLUMN ip_address CODEC(ZSTD(3)),
    MODIFY COLUMN item_category CODEC(ZSTD(1)),
    MODIFY COLUMN currency CODEC(ZSTD(1)),
    MODIFY COLUMN country CODEC(ZSTD(1)),
    MODIFY COLUMN user_agent CODEC(ZSTD(1)),
    MODIFY COLUMN device_type CODEC(ZSTD(1)),
    MODIFY COLUMN device_name CODEC(ZSTD(1)),
    MODIFY COLUMN viewport_size CODEC(ZSTD(1)),
    MODIFY COLUMN experiment_name CODEC(ZSTD(1)),
    MODIFY COLUMN experiment_variation CODEC(ZSTD(1));
