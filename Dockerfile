# PubSubRing in a container: the node and its command line.
#
#   docker build --build-arg REVISION="$(git rev-parse HEAD)" --tag pubsubring:0.1.0 .
#
# REVISION is what `pubsub-node --version` and the labels say. Nothing is fetched but the two base images and the packages in Cargo.lock, so the same source gives the same binaries.
FROM rust:1.95.0-slim-bookworm AS builder
WORKDIR /source
COPY . .
# Panics name file and line without it, and it would be most of the image.
ENV CARGO_INCREMENTAL=0 CARGO_PROFILE_RELEASE_DEBUG=false
ARG REVISION=unknown
RUN BUILD_COMMIT="${REVISION}" cargo build --locked --release --package node --package cli --bins

FROM debian:bookworm-slim
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="PubSubRing" \
    org.opencontainers.image.description="A durable publish-subscribe broker over HTTP and WebSocket" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
# The issuers that push and JWT trust; everything else of the builder stays behind.
COPY --from=builder /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=builder /source/target/release/pubsub-node /source/target/release/pubsub-cli /usr/local/bin/
# A volume that is made for this directory belongs to the user that the node runs as. Nothing else is ever written to.
RUN install --directory --owner 10001 --group 10001 --mode 0700 /data
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8081 7081 9092
# Whether it is alive, for what restarts containers: a node that waits for a majority of its cluster is. The compose files ask whether it is
# ready. The check reads the same file and the same environment as the node, and no flags.
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=6 CMD ["pubsub-node", "--health-check"]
ENTRYPOINT ["pubsub-node"]
CMD ["--data-dir", "/data"]
