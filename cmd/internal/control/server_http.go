package control

import (
	"context"
	"net/http"

	"waoutbox/outbox/api"
)

// The daemon's own beside its HTTP listener: what that says of the service's health, its token, and
// links to the operator's page.
const (
	routeHealthz     route[none, file] = "GET /healthz"
	routeReadyz      route[none, file] = "GET /readyz"
	routeRotateToken route[none, none] = "POST /v1/http-token/rotate"

	routeOpenPage route[none, api.PageLink] = "POST /v1/page/open"
)

// routesOfListener mounts them.
func (s *Server) routesOfListener() {
	if s.health != nil {
		mount(s, routeHealthz, http.HandlerFunc(s.health.ServeHTTP))
		mount(s, routeReadyz, http.HandlerFunc(s.health.ServeHTTP))
	}
	if s.rotateToken != nil {
		mutate(s, routeRotateToken, func(ctx context.Context, _ none) (none, error) { return none{}, s.rotateToken(ctx) })
	}
	if s.openPage != nil {
		mutate(s, routeOpenPage, func(ctx context.Context, _ none) (api.PageLink, error) { return s.openPage(ctx) })
	}
}

// RotateHTTPToken replaces the token of the HTTP listener: the one before stops working at once.
func (c *Client) RotateHTTPToken(ctx context.Context) error {
	_, err := call(ctx, c, routeRotateToken, none{})
	return err
}

// OpenPage asks for a link to the operator's page.
func (c *Client) OpenPage(ctx context.Context) (api.PageLink, error) {
	return call(ctx, c, routeOpenPage, none{})
}
