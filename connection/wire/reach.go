package wire

import (
	"context"
	"net/http"
	"time"

	"waoutbox/connection/whatsappurl"
)

// whatsAppPage is asked for its head where no other server is set.
const whatsAppPage = "https://web.whatsapp.com"

// Reach asks the other end for the head of a page, over the way that the link takes, and returns
// what its clock said in the middle of that, and when that was here. Any response will do; date is
// zero when it has none.
func (r Route) Reach(ctx context.Context) (date, here time.Time, err error) {
	t := r.Transport()
	defer t.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, whatsAppPage+whatsappurl.ChatPath, nil)
	if err != nil {
		return date, here, err
	}
	began := time.Now()
	resp, err := t.RoundTrip(req)
	if err != nil {
		return date, here, err
	}
	here = began.Add(time.Since(began) / 2)
	_ = resp.Body.Close() // a head has none
	date, err = http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return time.Time{}, here, nil
	}
	return date, here, nil
}
