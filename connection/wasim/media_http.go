package wasim

import (
	"bytes"
	"io"
	"net/http"
	"path"
	"strings"
	"time"
)

// mediaAuth is the token that media_conn gives for uploads.
const mediaAuth = "simulated"

// maxUpload bounds one upload: the simulator keeps it in memory.
const maxUpload = 1 << 30

// mediaRoutes are the paths of WhatsApp's media servers.
func (s *Server) mediaRoutes(mux *http.ServeMux) {
	mux.HandleFunc("POST /mms/{type}/{token}", s.serveUpload)
	mux.HandleFunc("DELETE /mms/{type}/{token}", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /v/", s.serveDownload)
}

// uploadTypes are what may stand in an upload's path.
var uploadTypes = map[string]MediaKind{"image": Image, "video": Video, "audio": Audio, "document": Document}

// serveUpload takes an encrypted file, named by its hash, as WhatsApp's servers do: without the
// token of media_conn and with another file than the name says it is refused.
func (s *Server) serveUpload(w http.ResponseWriter, r *http.Request) {
	release, ok := s.hold()
	if !ok {
		http.Error(w, ErrClosed.Error(), http.StatusServiceUnavailable)
		return
	}
	defer release()
	kind, known := uploadTypes[r.PathValue("type")]
	switch q := r.URL.Query(); {
	case !known:
		http.Error(w, "unknown media type", http.StatusNotFound)
		return
	case q.Get("auth") != mediaAuth:
		http.Error(w, "auth is not the token of media_conn", http.StatusUnauthorized)
		return
	case q.Get("token") != r.PathValue("token"):
		http.Error(w, "token and path differ", http.StatusBadRequest)
		return
	}
	if left := s.takeUploadFault(); left >= 0 { // an upload that was told to break off
		io.CopyN(io.Discard, r.Body, left) //nolint:errcheck // it is cut either way
		panic(http.ErrAbortHandler)
	}
	file, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxUpload))
	if err != nil {
		http.Error(w, "the file did not arrive whole", http.StatusBadRequest)
		return
	}
	if uploadToken(file) != r.PathValue("token") || len(file) <= macLen || (len(file)-macLen)%16 != 0 {
		http.Error(w, "the file is not the one the token names, or not encrypted", http.StatusBadRequest)
		return
	}
	m := &Medium{srv: s, kind: kind, file: file}
	s.mu.Lock()
	s.publish(m)
	at := m.path
	s.uploads++
	s.mu.Unlock()
	reply(w, http.StatusOK, map[string]string{"url": "https://mmg.whatsapp.net" + at, "direct_path": at, "handle": path.Base(r.URL.Path)})
}

// CutUploads lets the next times uploads break off after so many bytes.
func (s *Server) CutUploads(after int64, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.uploadCutAfter, s.uploadCuts = after, times
}

// takeUploadFault returns after how many bytes this upload breaks off, -1 for one that does not.
func (s *Server) takeUploadFault() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.uploadCuts <= 0 {
		return -1
	}
	s.uploadCuts--
	return s.uploadCutAfter
}

// Uploads counts the files the companion has uploaded.
func (s *Server) Uploads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.uploads
}

// serveDownload serves an encrypted file, or the part of it that is asked for.
func (s *Server) serveDownload(w http.ResponseWriter, r *http.Request) {
	release, ok := s.hold()
	if !ok {
		http.Error(w, ErrClosed.Error(), http.StatusServiceUnavailable)
		return
	}
	defer release()
	// the client adds its own parameters behind the direct path's
	at, added, _ := strings.Cut(r.URL.RequestURI(), "&hash=")
	at = strings.TrimSuffix(at, "&hash=")
	hash, _, _ := strings.Cut(added, "&")
	s.mu.Lock()
	m := s.media[at]
	if m == nil {
		s.mu.Unlock()
		http.Error(w, "no such medium", http.StatusNotFound)
		return
	}
	m.requests = append(m.requests, MediaRequest{Range: r.Header.Get("Range"), Hash: hash, At: time.Now()})
	file, gone, cut := m.file, m.gone, int64(-1)
	if gone == 0 && m.cuts > 0 {
		m.cuts--
		cut = m.cutAfter
	}
	if m.noRanges {
		r.Header.Del("Range")
	}
	s.mu.Unlock()
	if gone != 0 {
		http.Error(w, http.StatusText(gone), gone)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	if cut >= 0 {
		w = &cutWriter{ResponseWriter: w, left: cut}
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file))
}

// cutWriter cuts the connection after so many bytes of the body.
type cutWriter struct {
	http.ResponseWriter
	left int64
}

func (c *cutWriter) Write(p []byte) (int, error) {
	if int64(len(p)) <= c.left {
		c.left -= int64(len(p))
		return c.ResponseWriter.Write(p)
	}
	c.ResponseWriter.Write(p[:c.left])                   //nolint:errcheck // it is cut either way
	http.NewResponseController(c.ResponseWriter).Flush() //nolint:errcheck // it is cut either way
	panic(http.ErrAbortHandler)
}
