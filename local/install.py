"""Fetch the two servers into `.local`, each once: ClickHouse's library by npm, Kafka's jars by Maven.

Standard library only, and safe to repeat: what is there with the pinned checksums is left alone.
Run as `python -m local.install`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from local.paths import CLICKHOUSE_DIR, DOWNLOADS, KAFKA_DIR, ROOT, clickhouse_library, kafka_jars

_LOOPBACK = ("", "localhost", "127.0.0.1", "::1")
_PINNED = "26.7.3-stable.1"
_NO_NPM = (
    "npm is missing, so ClickHouse cannot be installed here. Install Node.js 18 or newer, or use "
    "`docker compose up`, or set CLICKHOUSE_HOST, CLICKHOUSE_PORT, CLICKHOUSE_USER and "
    "CLICKHOUSE_PASSWORD to a server you have."
)
_MEMORY = (
    "Going on with librdkafka's built-in broker (KAFKA=memory): events live in memory only and are gone "
    "when it stops, the producer waits for the workers, and tests that need a real Kafka are skipped."
)


class InstallError(Exception):
    """A part cannot be installed; the message says what to do instead."""


def install_clickhouse() -> None:
    """Put ClickHouse's library below `.local/clickhouse`, checked against the lock file's checksum.

    Raises:
        InstallError: npm is missing or failed.
    """
    if os.environ.get("CLICKHOUSE_HOST", "") not in _LOOPBACK:
        return
    source = ROOT / "local" / "clickhouse"
    files = (source / "package.json", source / "package-lock.json")
    if clickhouse_library().exists() and _stamped(CLICKHOUSE_DIR, files):
        return
    if shutil.which("npm") is None:
        raise InstallError(_NO_NPM)
    _say("installing ClickHouse (about 130 MB to download)")
    CLICKHOUSE_DIR.mkdir(parents=True, exist_ok=True)
    for path in files:
        shutil.copy(path, CLICKHOUSE_DIR)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    if "lib-linux-x64-gnu" not in str(clickhouse_library()):
        # The lock file pins the build that CI runs; on other machines npm checks the registry's own checksum.
        package = f"@chdb/{clickhouse_library().parent.name}@{_PINNED}"
        command = ["npm", "install", "--no-save", "--force", "--ignore-scripts", package]
    _run(command, CLICKHOUSE_DIR, "npm could not install ClickHouse's library")
    if not clickhouse_library().exists():
        raise InstallError(f"npm has no ClickHouse library for this machine; {_NO_NPM.split('. ', 1)[1]}")
    _stamp(CLICKHOUSE_DIR, files)


def install_kafka() -> str | None:
    """Put Kafka's jars below `.local/kafka/libs`, each checked; return why not where that cannot be."""
    source = ROOT / "local" / "kafka"
    files = (source / "pom.xml", source / "checksums.sha256")
    if _stamped(KAFKA_DIR, files):
        return None
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            return f"{program} is missing, so Apache Kafka cannot be installed."
    _say("installing Apache Kafka (about 45 MB to download)")
    shutil.rmtree(kafka_jars(), ignore_errors=True)
    KAFKA_DIR.mkdir(parents=True, exist_ok=True)
    command = ["mvn", "-q", "-B", "-ntp", "-f", str(files[0]), f"-Dmaven.repo.local={DOWNLOADS / 'm2'}"]
    goal = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
    try:
        _run([*command, goal, f"-DoutputDirectory={kafka_jars()}"], KAFKA_DIR, "Maven could not fetch Kafka")
        _check_jars(files[1])
    except InstallError as error:
        return str(error)
    _stamp(KAFKA_DIR, files)
    return None


def kafka_is_installed() -> bool:
    """Tell whether Java is here and set-up has put Kafka's jars in place."""
    return shutil.which("java") is not None and any(kafka_jars().glob("kafka_*.jar"))


def main() -> int:
    """Install both; return the exit code: 2 when ClickHouse cannot be had."""
    try:
        install_clickhouse()
    except InstallError as error:
        _say(str(error))
        return 2
    if os.environ.get("KAFKA", "") != "memory":
        reason = install_kafka()
        if reason:
            _say(f"{reason} {_MEMORY}")
    return 0


def _check_jars(checksums: Path) -> None:
    for line in checksums.read_text().splitlines():
        expected, name = line.split()
        jar = kafka_jars() / name
        if not jar.exists():
            raise InstallError(f"Maven did not bring {name}")
        if hashlib.sha256(jar.read_bytes()).hexdigest() != expected:
            jar.unlink()
            raise InstallError(f"{name} does not have the pinned checksum; it was removed")


def _run(command: list[str], folder: Path, failure: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if "ERROR" in line.upper()]
        raise InstallError(f"{failure}: {lines[0].strip()[:300] if lines else 'no reason given'}.")


def _stamp_text(files: tuple[Path, ...]) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def _stamped(folder: Path, files: tuple[Path, ...]) -> bool:
    stamp = folder / ".stamp"
    return stamp.exists() and stamp.read_text() == _stamp_text(files)


def _stamp(folder: Path, files: tuple[Path, ...]) -> None:
    (folder / ".stamp").write_text(_stamp_text(files))


def _say(text: str) -> None:
    sys.stderr.write(f"millrace: {text}\n")


if __name__ == "__main__":
    sys.exit(main())
