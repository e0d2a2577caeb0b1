-- What is wrong, was wrong, and what was said about it. Only the sensor that folds observations into incidents writes
-- the first and the last of these tables; a repeat after a crash writes the same keys and versions again, so it changes
-- nothing.

-- One current row an incident: one stretch of trouble of one subject. `fingerprint` names the stretch, `subject` what
-- it is about (check:asset:name, run:job, sensor:name). `evaluated_at` is the newest observation that is folded in.
-- `values` is a JSON object of what the verdict rests on (observed, expected, ratio, …). `channel` and `ts` are the
-- Slack message's place. `applied` are the ids of the rows of incident_actions that are folded in.
CREATE TABLE IF NOT EXISTS ops.incidents {on_cluster}
(
    fingerprint     String,
    subject         String,
    kind            LowCardinality(String),
    group_name      LowCardinality(String),
    owner           LowCardinality(String),
    severity        LowCardinality(String),
    title           String,
    summary         String,
    state           LowCardinality(String),
    first_seen      DateTime64(6, 'UTC'),
    last_seen       DateTime64(6, 'UTC'),
    evaluated_at    DateTime64(6, 'UTC'),
    resolved_at     Nullable(DateTime64(6, 'UTC')),
    resolved_by     String,
    acknowledged_at Nullable(DateTime64(6, 'UTC')),
    acknowledged_by String,
    count           UInt64,
    reopened        UInt32,
    escalated       Bool,
    announced       Bool,
    held_back       String,
    items           Array(String),
    values          String CODEC(ZSTD(3)),
    path            String,
    channel         String,
    ts              String,
    applied         Array(String),
    revision        UInt32,
    refreshed_at    DateTime64(6, 'UTC'),
    version         UInt64
)
ENGINE = {replacing_by_version}
ORDER BY fingerprint
TTL toDateTime(last_seen) + INTERVAL 400 DAY;

-- What people did about incidents, a row a step: from the command line, from the dashboard. Only ever added to.
CREATE TABLE IF NOT EXISTS ops.incident_actions {on_cluster}
(
    id          UUID DEFAULT generateUUIDv4(),
    fingerprint String,
    action      Enum8('ack' = 1, 'resolve' = 2, 'note' = 3),
    by          String,
    at          DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC'),
    note        String
)
ENGINE = {merge_tree}
ORDER BY (fingerprint, at, id)
TTL toDateTime(at) + INTERVAL 400 DAY;

-- A row a message that has to be delivered (kind open, update, note, resolve, digest). `id` follows from the incident,
-- the channel and the change, so it is the same in a repeat. State pending: to be tried at `next_attempt_at`; sending:
-- an attempt began and no answer is known, so look before trying again; then delivered, superseded by a later edit of
-- the same message, held back by the rate limit, or rejected. `place` is where a delivered message stands.
CREATE TABLE IF NOT EXISTS ops.alert_outbox {on_cluster}
(
    id              String,
    incident        String,
    channel         LowCardinality(String),
    kind            LowCardinality(String),
    revision        UInt32,
    payload         String CODEC(ZSTD(3)) TTL toDateTime(created_at) + INTERVAL 30 DAY,
    created_at      DateTime64(3, 'UTC'),
    updated_at      DateTime64(3, 'UTC'),
    attempts        UInt32,
    next_attempt_at DateTime64(3, 'UTC'),
    state           LowCardinality(String),
    reason          LowCardinality(String),
    place           String,
    last_error      String,
    version         UInt64
)
ENGINE = {replacing_by_version}
ORDER BY id
TTL toDateTime(created_at) + INTERVAL 400 DAY;
