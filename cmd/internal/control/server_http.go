package control

import "context"

// routeRotateToken lies outside /v1: it is for the owner of the state, and no program has it.
const routeRotateToken route[none, none] = "/daemon/http-token/rotate"

// routesOfDaemon are those of the process itself that are no operation on its state.
func (s *Server) routesOfDaemon() {
	if s.health != nil {
		s.mux.Handle("/healthz", s.health)
		s.mux.Handle("/readyz", s.health)
	}
	if s.rotateToken != nil {
		mutate(s, routeRotateToken, func(ctx context.Context, _ none) (none, error) { return none{}, s.rotateToken(ctx) })
	}
}

// RotateHTTPToken replaces the token of the HTTP listener: the one before stops working at once.
func (c *Client) RotateHTTPToken(ctx context.Context) error {
	_, err := call(ctx, c, routeRotateToken, none{})
	return err
}
