package control

import (
	"net/http"
	"strings"
)

// failureName is the name of the response of a status.
func failureName(status int) string { return strings.ReplaceAll(http.StatusText(status), " ", "") }

// failures are the responses that any operation may have.
func failures() object {
	body := object{{"application/json", object{{"schema", reference("schemas", "Failure")}}}}
	var all object
	for _, f := range []struct {
		status int
		about  string
	}{
		{http.StatusBadRequest, "The request is wrong: `field` names the field or parameter, `message` says what to pass."},
		{http.StatusUnauthorized, "The token is missing or wrong."},
		{http.StatusForbidden, "It is not allowed: `message` says who may allow it."},
		{http.StatusNotFound, "There is no such webhook, event, dead letter or file."},
		{http.StatusConflict, "It cannot be done as things stand now."},
		{http.StatusGone, "Neither WhatsApp nor the phone has the file any longer."},
		{http.StatusRequestEntityTooLarge, "The request or the file is too large."},
		{http.StatusUnsupportedMediaType, "The body has another type than the operation takes."},
		{http.StatusTooManyRequests, "Too many requests at once: try again later."},
		{http.StatusInternalServerError, "Something went wrong inside waoutbox; the log says more under the incident's number."},
		{http.StatusBadGateway, "WhatsApp or the server of the file failed or refused."},
		{http.StatusServiceUnavailable, "The service stops, starts, or cannot do it now."},
		{http.StatusGatewayTimeout, "It took too long."},
	} {
		all = append(all, member{failureName(f.status), object{{"description", f.about}, {"content", body}}})
	}
	return append(all, member{"Failure", object{{"description", "Any other failure."}, {"content", body}}})
}
