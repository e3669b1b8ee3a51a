package control

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"waoutbox/cmd/internal/control/socket"
	"waoutbox/outbox/api"
)

const someMetrics = "# TYPE waoutbox_events gauge\nwaoutbox_events 3\n"

// startMetrics is a server with some metrics.
func startMetrics(t *testing.T) *running {
	t.Helper()
	return startServerWith(t, t.TempDir(), ServerOptions{Service: &recordingService{}, Log: discardLog(), Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, someMetrics)
	})})
}

// TestMetricsCross: as they are, over Client and for a program that knows nothing of us.
func TestMetricsCross(t *testing.T) {
	r := startMetrics(t)
	if got, err := r.client.Metrics(t.Context()); err != nil || got != someMetrics {
		t.Errorf("%q, %v", got, err)
	}
	_, conn, err := socket.Dial(t.Context(), r.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := get(t, conn, "/metrics"); !strings.HasPrefix(got, "HTTP/1.1 200 ") || !strings.HasSuffix(got, someMetrics) {
		t.Errorf("%q", got)
	}
}

// get makes one request without any header of ours.
func get(t *testing.T, conn net.Conn, path string) string {
	t.Helper()
	if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestADaemonWithoutMetricsSaysSo: an older one.
func TestADaemonWithoutMetricsSaysSo(t *testing.T) {
	r := startServer(t, &recordingService{})
	text, err := r.client.Metrics(t.Context())
	if text != "" || err == nil || !strings.Contains(err.Error(), "0.1.0") {
		t.Errorf("%q, %v", text, err)
	}
}

// TestMetricsOfADaemonThatDoesNotRun is exit code 3 of the command.
func TestMetricsOfADaemonThatDoesNotRun(t *testing.T) {
	c := NewClient(t.TempDir(), Agent{Name: "cli"})
	defer c.Close()
	if _, err := c.Metrics(t.Context()); api.CodeOf(err) != api.CodeServiceUnavail {
		t.Error(err)
	}
}
