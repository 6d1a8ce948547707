"""Settings of the service: ``[serving]``."""

from __future__ import annotations

from pydantic import Field

from features.config.section import Section


class ServingSettings(Section):
    """``[serving]``: the HTTP service."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(3000, ge=1, le=65535, description="port to listen on")
    workers: int = Field(1, ge=1, le=64, description="processes that answer")
    max_batch: int = Field(1000, ge=1, le=100_000, description="customers in one request")
    max_body_bytes: int = Field(1_000_000, ge=1024, description="longest request body, in bytes")
    body_seconds: float = Field(5.0, gt=0, description="time in which a body must be there")
    max_bodies: int = Field(128, ge=1, description="bodies on their way at once, a worker")
    max_concurrency: int = Field(
        256, ge=1, description="requests waiting for the processor at once, a worker; more get 503"
    )
    bad_keys_a_minute: int = Field(
        10, ge=1, description="wrong keys of one address a minute that get 401; more get 429"
    )
    allowed_hosts: tuple[str, ...] = Field(
        (), description="host names the service may be asked by, beside loopback and serving.host"
    )
    drain_seconds: float = Field(
        2.0, ge=0, le=20, description="between 'not ready' and the end of accepting, at a stop"
    )
    log_sample_share: float = Field(
        1.0, ge=0, le=1, description="share of answers the prediction log keeps"
    )
    log_seconds: float = Field(5.0, gt=0, description="between two segments of the prediction log")
    log_queue_rows: int = Field(
        100_000, ge=1, description="answers that may wait to be logged; more are dropped"
    )
    log_retention_days: int = Field(90, ge=1, description="days the prediction log is kept")
