package admin

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"waoutbox/dispatcher/webhook"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// maxHeaders and maxHeaderBytes (names and values together) bound the custom headers of a webhook: common servers refuse a request
// whose header passes 8 KiB, and every attempt carries them.
const (
	maxHeaders     = 20
	maxHeaderBytes = 8 << 10
)

// HeadersContext is the associated data a webhook's custom headers are sealed with: moved to another webhook they do not open.
func HeadersContext(id outbox.SubID) string { return string(id) + "/headers" }

// checkHeaders says what is wrong with custom headers. Values are secrets: no sentence holds one.
func checkHeaders(headers *map[string]string) error {
	if headers == nil {
		return nil
	}
	all := *headers
	if len(all) > maxHeaders {
		return api.Errorf(api.CodeInvalidArguments, "there are %d custom headers, the most is %d: leave some out", len(all), maxHeaders)
	}
	size, seen := 0, map[string]string{}
	for _, name := range sortedNames(all) {
		if err := webhook.CheckHeader(name, all[name]); err != nil {
			return api.Errorf(api.CodeInvalidArguments, "%s", err)
		}
		key := strings.ToLower(name)
		if other, twice := seen[key]; twice {
			return api.Errorf(api.CodeInvalidArguments, "headers %s and %s are the same one: case does not count in names; give it once", other, name)
		}
		seen[key] = name
		size += len(name) + len(all[name])
	}
	if size > maxHeaderBytes {
		return api.Errorf(api.CodeInvalidArguments, "the custom headers have %d bytes together, the most is %d: shorten their values", size, maxHeaderBytes)
	}
	return nil
}

// sealHeaders answers the headers sealed as one, and their names for display. None give nothing.
func (s *Service) sealHeaders(all map[string]string, id outbox.SubID) (sealed []byte, names []string, err error) {
	if len(all) == 0 {
		return nil, nil, nil
	}
	plain, err := json.Marshal(all)
	if err != nil { // strings always marshal
		return nil, nil, api.Errorf(api.CodeInternal, "the custom headers could not be encoded, so nothing was changed")
	}
	if sealed, err = s.o.Seal(plain, HeadersContext(id)); err != nil {
		return nil, nil, api.Errorf(api.CodeInternal, "the custom headers could not be sealed, so nothing was changed: %v", err)
	}
	return sealed, sortedNames(all), nil
}

// sortedNames answers the names in the order people read them.
func sortedNames(all map[string]string) []string {
	return slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		if c := strings.Compare(strings.ToLower(a), strings.ToLower(b)); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
}
