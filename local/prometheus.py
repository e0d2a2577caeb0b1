"""A Prometheus beside the local stack, with the scrape configuration and the rules of `monitoring`."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from contracts.errors import UserError
from local.paths import ROOT
from local.servers import answers_http
from local.service import Service

MONITORING: Final = ROOT / "monitoring"
_KEEP: Final = "7d"


@dataclass(frozen=True)
class Addresses:
    """Where everything is, each as host:port.

    Args:
        platform: of `millrace metrics`, which also says where the workers are.
        clickhouse: where ClickHouse has its /metrics.
        prometheus_port: where Prometheus shall listen.
    """

    platform: str
    clickhouse: str
    prometheus_port: int


def prometheus_service(home: Path, addresses: Addresses, every_seconds: int = 15) -> Service:
    """Return Prometheus with its data below `home`, which scrapes every so many seconds.

    Raises:
        UserError: Prometheus is not installed.
    """
    program = shutil.which("prometheus")
    if program is None:
        raise UserError("Prometheus is not installed: it is Debian's package prometheus, and prometheus.io has others")
    config, port = home / "prometheus.yml", addresses.prometheus_port

    def prepare() -> None:
        home.mkdir(parents=True, exist_ok=True)
        config.write_text(yaml.safe_dump(render_config(addresses, every_seconds), sort_keys=False))

    return Service(
        name="prometheus",
        command=(
            *(program, f"--config.file={config}", f"--storage.tsdb.path={home / 'data'}"),
            *(f"--web.listen-address=127.0.0.1:{port}", f"--storage.tsdb.retention.time={_KEEP}", "--log.level=warn"),
        ),
        ready=lambda: answers_http(f"http://127.0.0.1:{port}/-/ready"),
        ports=(port,),
        prepare=prepare,
    )


def render_config(addresses: Addresses, every_seconds: int) -> dict[str, Any]:
    """Return the configuration of docker-compose with these addresses in place of the containers' names."""
    config: dict[str, Any] = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": f"{every_seconds}s", "evaluation_interval": f"{every_seconds}s"}
    config["rule_files"] = [str(MONITORING / name) for name in config["rule_files"]]
    # The workers choose their ports themselves, so the exporter is asked for them.
    finders: dict[str, Any] = {
        "ingest": ("http_sd_configs", [{"url": f"http://{addresses.platform}/targets", "refresh_interval": "15s"}]),
        "platform": ("static_configs", [{"targets": [addresses.platform]}]),
        "clickhouse": ("static_configs", [{"targets": [addresses.clickhouse]}]),
        "prometheus": ("static_configs", [{"targets": [f"127.0.0.1:{addresses.prometheus_port}"]}]),
    }
    names = [job["job_name"] for job in config["scrape_configs"]]
    config["scrape_configs"] = [{"job_name": name, finders[name][0]: finders[name][1]} for name in names]
    return config
