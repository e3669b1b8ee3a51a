# A static program and nothing else. The state lies in the volume /data, in a directory of its own that the program
# makes private, whatever modes the volume comes with.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o /waoutbox ./cmd/waoutbox && mkdir -m 0770 /data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /waoutbox /waoutbox
COPY --from=build --chown=65532:65532 /data /data
USER 65532:65532
ENV HOME=/data WAOUTBOX_STATE_DIR=/data/waoutbox
VOLUME ["/data"]
STOPSIGNAL SIGTERM
# an alarm, such as "not linked", is nothing that a restart mends
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["/waoutbox", "status", "--alive"]
ENTRYPOINT ["/waoutbox"]
CMD ["serve"]
