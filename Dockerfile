# syntax=docker/dockerfile:1
#
# docker build -t serverrs .                        the server alone, on a base without a shell: no slideshows, no MP3
# docker build -t serverrs --target with-ffmpeg .   the same on Debian with FFmpeg beside it, for both

ARG RUST_VERSION=1
ARG DEBIAN_RELEASE=bookworm

FROM rust:${RUST_VERSION}-slim-${DEBIAN_RELEASE} AS build
# For the allocator, which is C.
RUN apt-get update \
    && apt-get install -y --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY .cargo ./.cargo
COPY src ./src
# Named in the manifest, so cargo wants to see them.
COPY benches ./benches
# Downloads and compiled dependencies stay in cache mounts, so a changed source file compiles only itself.
# The binary is copied out, since a cache mount is not part of the image.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target,sharing=locked \
    cargo build --release --locked --bin serverrs \
    && cp target/release/serverrs /serverrs
# A distroless image has no mkdir and no chown.
RUN mkdir -p /data/temp /data/cookies /data/state /data/streams

FROM debian:${DEBIAN_RELEASE}-slim AS with-ffmpeg
RUN apt-get update \
    && apt-get install -y --no-install-recommends ffmpeg \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /serverrs /serverrs
COPY --from=build --chown=65532:65532 /data /data
WORKDIR /data
ENV HOST=0.0.0.0 PORT=3021 TEMP_DIR=/data/temp BROADCAST_DB=/data/state/serverrs.db STREAM_TEMP_DIR=/data/streams
USER 65532:65532
EXPOSE 3021
VOLUME ["/data/temp", "/data/state", "/data/streams"]
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s --retries=3 CMD ["/serverrs", "health"]
ENTRYPOINT ["/serverrs"]

# Last, so that it is the default target. Same Debian release as the build, for the same C library.
FROM gcr.io/distroless/cc-debian12:nonroot AS server
COPY --from=build /serverrs /serverrs
COPY --from=build --chown=65532:65532 /data /data
WORKDIR /data
ENV HOST=0.0.0.0 PORT=3021 TEMP_DIR=/data/temp BROADCAST_DB=/data/state/serverrs.db STREAM_TEMP_DIR=/data/streams
USER 65532:65532
EXPOSE 3021
VOLUME ["/data/temp", "/data/state", "/data/streams"]
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s --retries=3 CMD ["/serverrs", "health"]
ENTRYPOINT ["/serverrs"]
