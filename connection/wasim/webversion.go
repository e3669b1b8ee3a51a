package wasim

import (
	"fmt"
	"net/http"
)

// RequireRevision refuses clients of an older WhatsApp Web with 405: those whose version ends in a
// number below n. What WhatsApp's own page says is then n. 0 accepts all.
func (s *Server) RequireRevision(n uint32) { s.revision.Store(n) }

// outdated tells whether a client's version is refused.
func (s *Server) outdated(c *conn) bool {
	return c.Payload.GetUserAgent().GetAppVersion().GetTertiary() < s.revision.Load()
}

// servePage is WhatsApp Web's page, as far as it names its version.
func (s *Server) servePage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html")
	fmt.Fprintf(w, `<!doctype html><script>{"client_revision":%d,"x":0}</script>`, s.revision.Load())
}
