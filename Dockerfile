# Hongyan's image: worker, publisher and sandbox, root certificates, and nothing else; no shell, no root user.
#
#   docker build -t hongyan .
#   docker build -t hongyan --build-arg GOPROXY=https://proxy.example.com,direct .    # through a module mirror
#
# It builds with BuildKit and with Docker's older builder alike, for the platform that Docker builds for. Base images are named by
# version and digest; a newer one is a change of this file.

FROM golang:1.26.8-bookworm@sha256:dc9ad6c05acc7a88e5b71bde60a5fe3bd4b9f0db209011711b464107438a8107 AS build
ARG GOPROXY
WORKDIR /src
# The modules first: they are downloaded again only when they change.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# What the programs answer to --version; without it they say what Go knows of the build.
ARG VERSION
# disable_grpc_modules leaves out parts of FCM's SDK that nothing here calls. timetzdata brings the time zones, which an empty image lacks.
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X github.com/hongyan-im/hongyan/internal/cli.version=$VERSION" -tags disable_grpc_modules,timetzdata \
    -o /image/usr/local/bin/ ./cmd/worker ./cmd/publisher ./cmd/sandbox
RUN mkdir -p /image/etc/ssl/certs /folders/data /folders/sandbox-data \
 && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ \
 && printf 'hongyan:x:65532:65532::/:/none\n' > /image/etc/passwd

# The one-shot service "demo" of docker-compose.yml runs a script and so needs a shell. The NATS image has one and is there already.
FROM nats:2.15.0-alpine@sha256:ac8f88a6494bffc2c2a5289a0ca61cb28a9145c11ba5677cf24265d07f46d8d4 AS demo
COPY --from=build /image/usr/local/bin/publisher /usr/local/bin/
COPY deploy/compose/demo.sh /usr/local/bin/demo
USER 65532:65532
ENTRYPOINT []
CMD ["sh", "/usr/local/bin/demo"]

# The last stage is what a plain "docker build" makes.
FROM scratch
LABEL org.opencontainers.image.title="Hongyan" \
      org.opencontainers.image.description="Self-hosted offline push for instant messaging" \
      org.opencontainers.image.source="https://github.com/hongyan-im/hongyan" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image/ /
# Mount points that the program's user may write: /data for an embedded NATS server, /sandbox-data for the sandbox's demo credentials.
# A new volume takes its owner from them.
COPY --from=build --chown=65532:65532 /folders/ /
USER 65532:65532
# The embedded server's default folder, ./data, is /data.
WORKDIR /
# 8230 worker: /healthz /readyz /metrics. 8240, 8241 sandbox. 4222 embedded NATS server.
EXPOSE 4222 8230 8240 8241
# "worker health" asks /readyz on this machine. The compose file asks the sandbox in the same way; Kubernetes ignores it and has probes.
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s CMD ["worker", "health"]
# No entry point: name the program, as in "docker run hongyan publisher --help".
CMD ["worker", "run", "--config", "/etc/hongyan/hongyan.yaml"]
