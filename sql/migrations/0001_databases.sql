-- One database a hop. dbt writes staging, intermediate, marts and live; ops is the platform's own.
CREATE DATABASE IF NOT EXISTS raw {on_cluster};
CREATE DATABASE IF NOT EXISTS staging {on_cluster};
CREATE DATABASE IF NOT EXISTS intermediate {on_cluster};
CREATE DATABASE IF NOT EXISTS marts {on_cluster};
CREATE DATABASE IF NOT EXISTS live {on_cluster};
CREATE DATABASE IF NOT EXISTS ops {on_cluster};
