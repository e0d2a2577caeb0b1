"""The server's two configuration files, rendered from the settings and the grants in `sql`."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from xml.sax.saxutils import escape

from contracts.names import ROLE_DASHBOARD
from sql.grants import GRANTS, LIMITS, grants

# The whole stack is promised to fit in 4 GiB; ClickHouse refuses a query rather than take more than this.
MEMORY_LIMIT_BYTES = 1_600_000_000
# ClickHouse gives a query a thread for each GiB that is free: under this limit one, whatever the processors.
_THREADS = "<max_threads_min_free_memory_per_thread>268435456</max_threads_min_free_memory_per_thread>"

_SERVER = """<clickhouse>
  <users_config>{users}</users_config>
  <logger>
    <level>warning</level><log>{log}</log><errorlog>{log}.err</errorlog>
    <size>20M</size><count>3</count>
  </logger>
  <query_log>
    <database>system</database><table>query_log</table>
    <partition_by>toYYYYMM(event_date)</partition_by><ttl>event_date + INTERVAL 14 DAY DELETE</ttl>
    <flush_interval_milliseconds>2000</flush_interval_milliseconds>
  </query_log>
  <max_server_memory_usage>{memory}</max_server_memory_usage>
  <mark_cache_size>134217728</mark_cache_size>
  <uncompressed_cache_size>0</uncompressed_cache_size>
  <background_schedule_pool_size>8</background_schedule_pool_size>
  <background_pool_size>2</background_pool_size>
  <backups><allowed_path>{backups}</allowed_path></backups>
  <http_handlers>
    <rule>
      <url>/metrics</url><methods>GET</methods>
      <handler>
        <type>prometheus</type><metrics>true</metrics><events>true</events><errors>false</errors>
      </handler>
    </rule>
    <defaults/>
  </http_handlers>
</clickhouse>
"""

_USER = """    <{name}>
      <password>{password}</password>
      <networks><ip>127.0.0.1</ip><ip>::1</ip></networks>
      <profile>{profile}</profile><quota>default</quota>{grants}
    </{name}>
"""


def write_config(home: Path, *, is_shard: bool = False, memory_bytes: int = MEMORY_LIMIT_BYTES) -> Path:
    """Write the server's and the users' files below `home`; return the server's.

    With `is_shard` the users also have their rights on a shard's own tables.

    Passwords are made once and kept in `passwords.json`, readable by the owner only.
    """
    home.mkdir(parents=True, exist_ok=True)
    log = home.parent / "log" / "clickhouse-server.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    users = home / "users.xml"
    _write_private(users, _users(passwords(home), is_shard=is_shard))
    server = home / "config.xml"
    server.write_text(
        _SERVER.format(
            users=escape(str(users.resolve())),
            log=escape(str(log.resolve())),
            memory=memory_bytes,
            backups=escape(str((home / "backups").resolve())),
        )
    )
    return server


def passwords(home: Path) -> dict[str, str]:
    """Return the password of each role's user, made on the first call; a role that came later gets its own then."""
    path = home / "passwords.json"
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    if set(GRANTS) <= set(known):
        return known
    made = {role: secrets.token_urlsafe(18) for role in GRANTS} | known
    home.mkdir(parents=True, exist_ok=True)
    _write_private(path, json.dumps(made))
    return made


def _users(secret: dict[str, str], *, is_shard: bool) -> str:
    users = [_USER.format(name="default", password="", profile="default", grants="")]
    for role in GRANTS:
        lines = "".join(f"<query>GRANT {right}</query>" for right in grants(role, is_sharded=is_shard))
        profile = "readonly" if role == ROLE_DASHBOARD else "default"
        users.append(
            _USER.format(name=role, password=secret[role], profile=profile, grants=f"<grants>{lines}</grants>")
        )
    limits = LIMITS[ROLE_DASHBOARD].items()
    settings = "".join(f"<{name}>{value}</{name}>" for name, value in limits)
    constraints = "".join(f"<{name}><max>{value}</max></{name}>" for name, value in limits)
    return (
        f"<clickhouse>\n  <profiles>\n    <default>{_THREADS}</default>\n"
        f"    <readonly>{_THREADS}<readonly>2</readonly>{settings}<constraints>{constraints}</constraints></readonly>\n"
        "  </profiles>\n  <quotas><default/></quotas>\n  <users>\n" + "".join(users) + "  </users>\n</clickhouse>\n"
    )


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
