package wasim

import (
	"maps"
	"slices"
)

// maxSavedMedium is the size of files from which on they are not saved: the state is written often
// and is JSON. Whoever asks for one after a restart is told that it is gone.
const maxSavedMedium = 8 << 20

type savedMedium struct {
	Kind      MediaKind `json:"kind"`
	Key       []byte    `json:"key"`
	PlainHash []byte    `json:"plain_hash"`
	FileHash  []byte    `json:"file_hash"`
	PlainLen  int       `json:"plain_len"`
	File      []byte    `json:"file"`
	Path      string    `json:"path"`
	Gone      int       `json:"gone,omitempty"`
	Sent      bool      `json:"sent,omitempty"` // by a contact
}

// saveMedia returns the files of the media server. Takes the lock.
func (s *Server) saveMedia() []savedMedium {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []savedMedium
	for _, path := range slices.Sorted(maps.Keys(s.media)) {
		m := s.media[path]
		if len(m.file) > maxSavedMedium {
			continue
		}
		out = append(out, savedMedium{
			Kind: m.kind, Key: m.key, PlainHash: m.plainHash, FileHash: m.fileHash, PlainLen: m.plainLen,
			File: m.file, Path: m.path, Gone: m.gone, Sent: slices.Contains(s.sentMedia, m),
		})
	}
	return out
}

func (s *Server) loadMedia(list []savedMedium) {
	for _, in := range list {
		m := &Medium{
			srv: s, kind: in.Kind, key: in.Key, plainHash: in.PlainHash, fileHash: in.FileHash, plainLen: in.PlainLen,
			file: in.File, path: in.Path, gone: in.Gone,
		}
		s.media[m.path] = m
		if in.Sent {
			s.sentMedia = append(s.sentMedia, m)
		}
	}
}

// mediaPaths is which message each medium of the account belongs to. Call with the account's lock
// held.
func (a *Account) mediaPaths() map[string]string {
	paths := make(map[string]string)
	a.srv.mu.Lock()
	defer a.srv.mu.Unlock()
	for id, m := range a.media {
		if len(m.file) <= maxSavedMedium {
			paths[id] = m.path
		}
	}
	return paths
}

// takeMedia finds the media of an account again. One that was put under another path while the
// state was written is none any more.
func (a *Account) takeMedia(paths map[string]string) {
	for id, path := range paths {
		if m := a.srv.media[path]; m != nil {
			a.media[id] = m
		}
	}
}
