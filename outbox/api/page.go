package api

import "time"

// PageLink is a link to the operator's page. It can be used once.
type PageLink struct {
	URL       string    `json:"url"`
	ExpiresAt time.Time `json:"expires_at"`
}
