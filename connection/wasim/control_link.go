package wasim

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// linkRoutes do to the companion's connection what WhatsApp and networks do.
func linkRoutes() []route {
	return []route{
		{"POST", "/drop", "cut the companion's connection", `{"account":"491515550100"}`, controlDrop},
		{"POST", "/unlink", "remove the companion as from the phone", `{}`, controlUnlink},
		{"POST", "/replace", "end the connection as another login would", `{}`, controlReplace},
		{"POST", "/stream-error", "end the connection with a code", `{"code":"503"}`, controlStreamError},
		{"POST", "/refuse", "refuse the next logins with a code, 0 accepts again", `{"code":"405"}`, controlRefuse},
		{"POST", "/ban", "refuse the next logins with 402, for a reason's code and so many seconds", `{"code":"101","count":3600}`, controlBan},
		{"POST", "/restrict", "forbid messages to strangers until then (Unix seconds, 0 lifts it), and refuse all sends with 463", `{"at":1735689600}`, controlRestrict},
		{"POST", "/clock", "move the time that stanzas tell so far from the real one, such as -24h; 0s brings it back", `{"for":"-24h"}`, controlClock},
		{"POST", "/require-revision", "refuse clients of an older WhatsApp Web with 405, and say on its page that this is the current one; 0 accepts all", `{"count":1060000000}`, controlRequireRevision},
		{"POST", "/refuse-unlinked", "the same for clients that are not linked yet", `{"code":"405"}`, controlRefuseUnlinked},
		{"POST", "/reject-sends", "refuse the companion's messages with an error code, 0 accepts again", `{"code":"463"}`, controlRejectSends},
	}
}

func controlDrop(_ context.Context, s *Server, in request) (any, error) {
	return nil, s.withAccount(in, func(a *Account) error { a.Drop(); return nil })
}

func controlUnlink(_ context.Context, s *Server, in request) (any, error) {
	return nil, s.withAccount(in, func(a *Account) error { a.Unlink(); return nil })
}

func controlReplace(_ context.Context, s *Server, in request) (any, error) {
	return nil, s.withAccount(in, func(a *Account) error { a.Replace(); return nil })
}

func controlStreamError(_ context.Context, s *Server, in request) (any, error) {
	return nil, s.withAccount(in, func(a *Account) error { a.StreamError(in.Code); return nil })
}

func controlRefuse(_ context.Context, s *Server, in request) (any, error) {
	return nil, s.withCode(in, func(a *Account, code int) { a.Refuse(code) })
}

func controlClock(_ context.Context, s *Server, in request) (any, error) {
	offset, err := time.ParseDuration(in.For)
	if err != nil {
		return nil, fmt.Errorf("for %q is no duration such as -24h", in.For)
	}
	s.SetClock(offset)
	return nil, nil
}

func controlBan(_ context.Context, s *Server, in request) (any, error) {
	return nil, s.withCode(in, func(a *Account, code int) { a.Ban(code, time.Duration(in.Count)*time.Second) })
}

func controlRestrict(ctx context.Context, s *Server, in request) (any, error) {
	return nil, s.withAccount(in, func(a *Account) error { return a.Restrict(ctx, in.at()) })
}

func controlRejectSends(_ context.Context, s *Server, in request) (any, error) {
	return nil, s.withCode(in, func(a *Account, code int) { a.RejectSends(code) })
}

func controlRequireRevision(_ context.Context, s *Server, in request) (any, error) {
	s.RequireRevision(uint32(max(in.Count, 0)))
	return nil, nil
}

func controlRefuseUnlinked(_ context.Context, s *Server, in request) (any, error) {
	code, err := strconv.Atoi(in.Code)
	if err != nil {
		return nil, fmt.Errorf("code %q is not a number", in.Code)
	}
	s.Refuse(code)
	return nil, nil
}

func (s *Server) withAccount(in request, do func(*Account) error) error {
	a, err := s.findAccount(in.Account)
	if err != nil {
		return err
	}
	return do(a)
}

func (s *Server) withCode(in request, do func(*Account, int)) error {
	return s.withAccount(in, func(a *Account) error {
		code, err := strconv.Atoi(in.Code)
		if err != nil {
			return fmt.Errorf("code %q is not a number", in.Code)
		}
		do(a, code)
		return nil
	})
}
