-- What runs now, on every server of a cluster: a worker that takes a partition over waits until the inserts of its
-- former owner have ended, also those that another server passed on. With the rights of whoever migrates, because
-- to ask other servers takes rights that the ingest role must not have.
CREATE VIEW IF NOT EXISTS raw.running_queries {on_cluster}
DEFINER = CURRENT_USER SQL SECURITY DEFINER AS
SELECT initial_query_id AS query_id FROM {processes};
