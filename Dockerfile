# PubSubRing in a container: the node and its command line.
FROM rust:1.95-slim-bookworm AS builder
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN cargo build --locked --release --package node --package cli --bins

FROM debian:bookworm-slim
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data pubsub && install --directory --owner pubsub /data
COPY --from=builder /source/target/release/pubsub-node /source/target/release/pubsub-cli /usr/local/bin/
USER pubsub
WORKDIR /data
VOLUME /data
EXPOSE 8081 7081
# It answers who it takes the caller for, also without a key: then that no key was given, with exit code 8.
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=6 \
    CMD pubsub-cli --timeout 3s whoami >/dev/null 2>&1 || [ $? -eq 8 ]
ENTRYPOINT ["pubsub-node"]
CMD ["--data-dir", "/data"]
