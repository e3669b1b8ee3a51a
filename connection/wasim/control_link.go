package wasim

import (
	"context"
	"fmt"
	"strconv"
)

// linkRoutes do to the companion's connection what WhatsApp and networks do.
func linkRoutes() []route {
	return []route{
		{"POST", "/drop", "cut the companion's connection", `{"account":"491515550100"}`, controlDrop},
		{"POST", "/unlink", "remove the companion as from the phone", `{}`, controlUnlink},
		{"POST", "/replace", "end the connection as another login would", `{}`, controlReplace},
		{"POST", "/stream-error", "end the connection with a code", `{"code":"503"}`, controlStreamError},
		{"POST", "/refuse", "refuse the next logins with a code, 0 accepts again", `{"code":"405"}`, controlRefuse},
		{"POST", "/refuse-unlinked", "the same for clients that are not linked yet", `{"code":"405"}`, controlRefuseUnlinked},
		{"POST", "/reject-sends", "answer the companion's messages with an error code, 0 accepts again", `{"code":"463"}`, controlRejectSends},
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

func controlRejectSends(_ context.Context, s *Server, in request) (any, error) {
	return nil, s.withCode(in, func(a *Account, code int) { a.RejectSends(code) })
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
