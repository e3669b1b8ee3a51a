package wasim

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// maxControlMedium bounds a file that a control request has made.
const maxControlMedium = 512 << 20

// mediaControlRoutes are media of contacts and of the server that keeps them.
func mediaControlRoutes() []route {
	return []route{
		{"POST", "/media", "send an image, video, audio, voice, document or sticker as a contact: data (base64), or size bytes made up", `{"from":"Bob","kind":"image","size":48213,"caption":"","filename":"","mime":"","group":""}`, controlSendMedia},
		{"GET", "/media", "the media of contacts by message id, with the downloads of each", "", controlMedia},
		{"POST", "/media/fault", "what happens to downloads of a message's medium: status (404, 410, 500; 0 serves it again), cut count downloads after so many bytes, ignore ranges, or damage the file", `{"id":"3A…","status":404,"cut":1000,"count":1,"ignore_ranges":false,"damage":false}`, controlMediaFault},
		{"POST", "/media/uploads", "cut the companion's next count uploads after so many bytes", `{"cut":1000,"count":1}`, controlUploads},
		{"POST", "/media/retry", "what the phone does when it is asked for a medium again: uploads, gone, refused or silent", `{"state":"gone"}`, controlMediaRetry},
	}
}

func controlSendMedia(ctx context.Context, s *Server, in request) (any, error) {
	c, g, err := s.sender(in)
	if err != nil {
		return nil, err
	}
	if in.Size < 0 || in.Size > maxControlMedium {
		return nil, fmt.Errorf("size %d is not between 0 and %d", in.Size, maxControlMedium)
	}
	plain := in.Data
	if len(plain) == 0 {
		plain = madeUp(in.Size)
	}
	o := MediaOptions{Caption: in.Caption, FileName: in.FileName, MIME: in.MIME}
	var id string
	if g != nil {
		id, _, err = c.SendGroupMedia(ctx, g, MediaKind(in.Kind), plain, o)
	} else {
		id, _, err = c.SendMedia(ctx, MediaKind(in.Kind), plain, o)
	}
	if err != nil {
		return nil, err
	}
	return map[string]any{"ids": []string{id}}, nil
}

// madeUp is a file that no compression shortens and that is the same for each size.
func madeUp(size int64) []byte {
	plain := make([]byte, size)
	x := uint64(size)*2654435761 + 1
	for i := range plain {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		plain[i] = byte(x)
	}
	return plain
}

// mediumOf finds the medium of a message.
func (s *Server) mediumOf(in request) (*Medium, error) {
	a, err := s.findAccount(in.Account)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	m := a.media[in.ID]
	if m == nil {
		return nil, fmt.Errorf("%w medium of message %q", errUnknown, in.ID)
	}
	return m, nil
}

func controlMedia(_ context.Context, s *Server, in request) (any, error) {
	a, err := s.findAccount(in.Account)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	list := map[string]any{}
	for id, m := range a.media {
		list[id] = map[string]any{"kind": m.kind, "bytes": m.plainLen, "path": m.Path(), "requests": append([]MediaRequest{}, m.Requests()...)}
	}
	return map[string]any{"media": list, "uploads": s.Uploads()}, nil
}

func controlMediaFault(_ context.Context, s *Server, in request) (any, error) {
	m, err := s.mediumOf(in)
	if err != nil {
		return nil, err
	}
	if in.Status != 0 && http.StatusText(in.Status) == "" {
		return nil, fmt.Errorf("status %d is no HTTP status", in.Status)
	}
	m.Expire(in.Status)
	if in.Count > 0 {
		m.Cut(in.Cut, in.Count)
	}
	if in.IgnoreRanges {
		m.IgnoreRanges()
	}
	if in.Damage {
		m.Damage()
	}
	return nil, nil
}

func controlUploads(_ context.Context, s *Server, in request) (any, error) {
	if in.Count <= 0 {
		return nil, errors.New("count says how many uploads are cut")
	}
	s.CutUploads(in.Cut, in.Count)
	return nil, nil
}

func controlMediaRetry(_ context.Context, s *Server, in request) (any, error) {
	a, err := s.findAccount(in.Account)
	if err != nil {
		return nil, err
	}
	return nil, a.SetMediaRetry(MediaRetry(in.State))
}
