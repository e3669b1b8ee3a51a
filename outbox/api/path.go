package api

import "strings"

// PathWithoutURL is the path of a request as it may be logged: a webhook can be named by its URL in
// it, whose path and query often hold a token.
func PathWithoutURL(path string) string {
	if at := strings.IndexAny(path, ":?#@"); at >= 0 {
		return path[:at] + "…"
	}
	return path
}
