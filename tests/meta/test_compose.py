"""docker-compose.yml cannot be started where there is no engine, so it is held against the settings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import yaml

from cli.commands import COMMANDS
from cli.metrics import CLICKHOUSE_PORT
from contracts.settings import Settings
from streaming.ingest.endpoint import FIRST_PORT

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
PROMETHEUS: dict[str, Any] = yaml.safe_load((ROOT / "monitoring" / "prometheus.yml").read_text())
OURS = {name for name, service in SERVICES.items() if service["image"].startswith("millrace:")}
NOT_SETTINGS = {"DAGSTER_HOME"}


def test_every_variable_of_our_services_is_a_setting_with_an_allowed_value() -> None:
    for name in OURS:
        environment = dict(SERVICES[name]["environment"])
        known = {field.upper() for field in Settings.model_fields} | NOT_SETTINGS
        assert set(environment) <= known, name
        values = {key.lower(): value for key, value in environment.items() if not value.startswith("${")}
        Settings(_env_file=None, **{key: value for key, value in values.items() if key != "dagster_home"})


def test_our_services_look_for_the_servers_where_compose_puts_them() -> None:
    for name in OURS:
        environment = SERVICES[name]["environment"]
        host, port = environment["KAFKA_BROKER_URL"].split(":")
        assert f"PLAINTEXT://{host}:{port}" == SERVICES[host]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
        server = SERVICES[environment["CLICKHOUSE_HOST"]]
        assert any(entry.endswith(f":{environment['CLICKHOUSE_PORT']}") for entry in server["ports"])


def test_the_published_ports_are_the_settings_defaults() -> None:
    published = {entry.split(":")[-1] for service in SERVICES.values() for entry in service.get("ports", [])}
    fields = ("clickhouse_port", "clickhouse_native_port", "dagster_port", "dashboard_port", "prometheus_port")
    assert published == {str(Settings.model_fields[field].default) for field in fields}


def test_the_broker_has_the_default_number_of_partitions() -> None:
    partitions = SERVICES["kafka"]["environment"]["KAFKA_NUM_PARTITIONS"]
    assert int(partitions) == Settings.model_fields["kafka_partitions"].default


def test_every_image_has_a_fixed_version() -> None:
    dockerfile = re.search(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert dockerfile
    for image in [dockerfile.group(1), *(service["image"] for service in SERVICES.values())]:
        assert re.search(r":v?\d", image), image


def test_servers_and_lasting_processes_have_health_checks_and_named_volumes() -> None:
    checked = {name for name, service in SERVICES.items() if "healthcheck" in service}
    assert checked >= {"kafka", "clickhouse", "ingest", "dagster-webserver", "dagster-daemon", "dashboard"}
    used = {entry.split(":")[0] for service in SERVICES.values() for entry in service.get("volumes", [])}
    assert {name for name in used if not name.startswith(".")} == set(COMPOSE["volumes"])
    assert all((ROOT / name).exists() for name in used if name.startswith("."))


def test_prometheus_asks_where_the_services_answer() -> None:
    jobs = {job["job_name"]: job for job in PROMETHEUS["scrape_configs"]}
    (worker,) = jobs["ingest"]["dns_sd_configs"]
    assert worker["names"] == ["ingest"]
    assert str(worker["port"]) == SERVICES["ingest"]["environment"]["INGEST_METRICS_PORT"]
    exporter = SERVICES["metrics"]["environment"]
    assert jobs["platform"]["static_configs"] == [{"targets": [f"metrics:{exporter['METRICS_PORT']}"]}]
    assert exporter["METRICS_HOST"] == "0.0.0.0"
    port = ET.parse(ROOT / "monitoring" / "clickhouse" / "metrics.xml").findtext("prometheus/port")
    assert jobs["clickhouse"]["static_configs"] == [{"targets": [f"clickhouse:{port}"]}]
    assert int(port or 0) == CLICKHOUSE_PORT


def test_a_workers_health_check_asks_where_the_worker_listens() -> None:
    worker = SERVICES["ingest"]
    assert worker["environment"]["INGEST_METRICS_HOST"] == "0.0.0.0"
    assert f"http://localhost:{worker['environment']['INGEST_METRICS_PORT']}/live" in worker["healthcheck"]["test"][-1]
    assert worker["environment"]["INGEST_METRICS_PORT"] == str(FIRST_PORT)


def test_the_commands_that_the_services_run_exist() -> None:
    for name in OURS:
        program, *arguments = SERVICES[name]["command"]
        assert program != "millrace" or arguments[0] in COMMANDS, name


def test_the_kafka_of_compose_is_the_kafka_of_the_local_stack() -> None:
    version = SERVICES["kafka"]["image"].split(":")[1]
    assert f"<version>{version}</version>" in (ROOT / "local" / "kafka" / "pom.xml").read_text()
