"""Run a ClickHouse server in this process: `python -m local.clickhouse CONFIG HTTP_PORT NATIVE_PORT DATA`.

libchdb runs clickhouse-local, which opens ClickHouse's own listeners with SYSTEM START LISTEN and stays
alive while a query reads its standard input. That input is a pipe this process holds, so SIGTERM, SIGINT
or the end of this process closes it and the server shuts down in order.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading

from local.paths import clickhouse_library


def _serve(arguments: list[str]) -> str | None:
    library = ctypes.CDLL(str(clickhouse_library()))
    library.chdb_query_cmdline.restype = ctypes.c_void_p
    library.chdb_result_error.restype = ctypes.c_char_p
    library.chdb_result_error.argtypes = [ctypes.c_void_p]
    argv = (ctypes.c_char_p * len(arguments))(*[argument.encode() for argument in arguments])
    result = library.chdb_query_cmdline(len(arguments), argv)
    error = library.chdb_result_error(result) if result else b"no result"
    return error.decode(errors="replace") if error else None


def main() -> None:
    """Serve until a signal asks to stop; exit 1 with ClickHouse's own words when it cannot start."""
    config, http_port, native_port, data = sys.argv[1:]
    stop = {signal.SIGTERM, signal.SIGINT}
    # Blocked before the first thread exists, so that every thread of the library inherits the mask and
    # only sigwait below sees the signal, whatever handlers the library installs.
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)
    reader, writer = os.pipe()
    os.dup2(reader, 0)
    os.close(reader)
    query = (
        "SYSTEM START LISTEN HTTP; SYSTEM START LISTEN TCP; "
        "SELECT * FROM file('/dev/stdin', 'LineAsString', 'line String') FORMAT Null"
    )
    arguments = ["clickhouse", "--config-file", config, "--path", data, "--listen_host", "127.0.0.1"]
    arguments += ["--http_port", http_port, "--tcp_port", native_port, "--query", query]
    errors: list[str | None] = []

    def run() -> None:
        errors.append(_serve(arguments))
        os.kill(os.getpid(), signal.SIGTERM)  # wakes sigwait when the server ends by itself

    server = threading.Thread(target=run, name="clickhouse", daemon=True)
    server.start()
    signal.sigwait(stop)
    os.close(writer)
    server.join(timeout=12)
    error = errors[0] if errors else None
    if error:
        sys.stderr.write(error + "\n")
    sys.stderr.flush()
    # The library's static destructors may crash a process whose listeners were open; the data is
    # already safe on disk, so leave without running them.
    os._exit(1 if error else 0)


if __name__ == "__main__":
    main()
