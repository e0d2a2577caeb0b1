# One image for every process of ours: producer, ingest worker, migrations, Dagster.
FROM python:3.11-slim-bookworm

WORKDIR /opt/millrace
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes --no-deps -r requirements.lock
COPY . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation --editable . \
    && useradd --create-home --uid 10001 millrace \
    && mkdir -p /var/lib/millrace/dagster \
    && cp dagster.yaml /var/lib/millrace/dagster/ \
    && chown -R millrace /var/lib/millrace /opt/millrace
USER millrace
ENV MILLRACE_HOME=/var/lib/millrace DAGSTER_DISABLE_TELEMETRY=yes DO_NOT_TRACK=1
CMD ["millrace", "--help"]
