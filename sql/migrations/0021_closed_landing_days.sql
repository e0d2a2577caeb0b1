-- A landing day that nothing is written to any more becomes one part after six hours: what looks for the newest offsets,
-- as each run of the marts does, opens every part of the history.
ALTER TABLE raw.events {on_cluster} MODIFY SETTING
    min_age_to_force_merge_seconds = 21600, min_age_to_force_merge_on_partition_only = 1;
