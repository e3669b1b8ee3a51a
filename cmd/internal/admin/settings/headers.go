package settings

import (
	"maps"
	"slices"
	"strings"

	"waoutbox/dispatcher/webhook"
	"waoutbox/outbox/api"
)

// maxHeaders and maxHeaderBytes (names and values together) bound the custom headers of a webhook:
// common servers refuse a request whose header passes 8 KiB, and every attempt carries them.
const (
	maxHeaders     = 20
	maxHeaderBytes = 8 << 10
)

// CheckHeaders says what is wrong with custom headers; nil is not given. Values are secrets: no
// sentence holds one.
func CheckHeaders(headers *map[string]string) error {
	if headers == nil {
		return nil
	}
	all := *headers
	if len(all) > maxHeaders {
		return api.Errorf(api.CodeInvalidArguments, "there are %d custom headers, the most is %d: leave some out", len(all), maxHeaders).In("headers")
	}
	size, seen := 0, map[string]string{}
	for _, name := range HeaderNames(all) {
		if err := webhook.CheckHeader(name, all[name]); err != nil {
			return api.Errorf(api.CodeInvalidArguments, "%s", err).In("headers")
		}
		// receivers that pass headers on as variables read _ as -
		key := strings.ReplaceAll(strings.ToLower(name), "_", "-")
		if other, twice := seen[key]; twice {
			return api.Errorf(api.CodeInvalidArguments, "headers %s and %s are the same one: case does not count in names, nor - for _; give it once", other, name).In("headers")
		}
		seen[key] = name
		size += len(name) + len(all[name])
	}
	if size > maxHeaderBytes {
		return api.Errorf(api.CodeInvalidArguments, "the custom headers have %d bytes together, the most is %d: shorten their values", size, maxHeaderBytes).In("headers")
	}
	return nil
}

// HeaderNames returns the names of custom headers in the order people read them.
func HeaderNames(all map[string]string) []string {
	return slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		if c := strings.Compare(strings.ToLower(a), strings.ToLower(b)); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
}
