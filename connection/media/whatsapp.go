package media

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waMmsRetry"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
)

// phoneWait is how long the phone may take to upload a file again.
const phoneWait = time.Minute

// ErrPhoneSilent says that the phone was asked for a file and did not answer: later it may.
var ErrPhoneSilent = errors.New("the phone did not answer")

// WhatsApp is the Servers of a linked account. Safe for concurrent use.
type WhatsApp struct {
	client func(context.Context) (*whatsmeow.Client, error)
	http   *http.Client
	wait   time.Duration // for the phone

	mu      sync.Mutex
	waiting map[types.MessageID][]chan *events.MediaRetry
}

var _ Servers = (*WhatsApp)(nil)

// NewWhatsApp returns the media servers as the library's client of the moment knows them; client
// returns an error while there is none that is connected. Of h its transport is used.
func NewWhatsApp(client func(context.Context) (*whatsmeow.Client, error), h *http.Client) *WhatsApp {
	once := *h
	once.Timeout = 0 // a file may take long; what stalls is ended
	once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &WhatsApp{client: client, http: &once, wait: phoneWait, waiting: make(map[types.MessageID][]chan *events.MediaRetry)}
}

// Hosts satisfies Servers.
func (w *WhatsApp) Hosts(ctx context.Context, fresh bool) ([]string, string, error) {
	cli, err := w.client(ctx)
	if err != nil {
		return nil, "", err
	}
	//lint:ignore SA1019 the library's downloads begin anew after a cut; only this names the hosts
	conn, err := cli.DangerousInternals().RefreshMediaConn(ctx, fresh)
	if err != nil {
		return nil, "", fmt.Errorf("%w: WhatsApp names none (%w)", ErrUnavailable, err)
	}
	var hosts []string
	for _, h := range conn.Hosts {
		// only letters, digits, dots and dashes make a host's name
		if strings.Trim(strings.ToLower(h.Hostname), "abcdefghijklmnopqrstuvwxyz0123456789.-") == "" && h.Hostname != "" {
			hosts = append(hosts, h.Hostname)
		}
	}
	return hosts, conn.Auth, nil
}

// Do satisfies Servers. Its errors name no address: there are tokens in it.
func (w *WhatsApp) Do(req *http.Request) (*http.Response, error) {
	resp, err := w.http.Do(req)
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return resp, err
}

// Again satisfies Servers. It waits at most a minute for the phone.
func (w *WhatsApp) Again(ctx context.Context, ref Ref) (string, error) {
	cli, err := w.client(ctx)
	if err != nil {
		return "", err
	}
	if len(ref.Key) == 0 || ref.MessageID == "" {
		return "", fmt.Errorf("%w, and a phone cannot be asked for it", ErrExpired)
	}
	info := types.MessageInfo{ID: ref.MessageID}
	info.IsFromMe, info.IsGroup = ref.FromMe, ref.Participant != ""
	if info.Chat, err = types.ParseJID(ref.Chat); err != nil {
		return "", fmt.Errorf("%w, and its message names no chat", ErrExpired)
	}
	if info.IsGroup {
		if info.Sender, err = types.ParseJID(ref.Participant); err != nil {
			return "", fmt.Errorf("%w, and its message names no sender", ErrExpired)
		}
	}
	answer, forget := w.expect(ref.MessageID)
	defer forget()
	if err := cli.SendMediaRetryReceipt(ctx, &info, ref.Key); err != nil {
		return "", fmt.Errorf("%w: the phone could not be asked (%w)", ErrUnavailable, err)
	}
	limit := time.NewTimer(w.wait)
	defer limit.Stop()
	for {
		select {
		case evt := <-answer:
			path, err := newPath(evt, ref)
			if err == nil || !errors.Is(err, errUnreadable) {
				return path, err
			}
		case <-limit.C:
			return "", ErrPhoneSilent
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// errUnreadable is an answer that was made with another key: of another request, or of nobody who
// knows the file.
var errUnreadable = errors.New("the phone's answer cannot be read")

// newPath reads the phone's answer.
func newPath(evt *events.MediaRetry, ref Ref) (string, error) {
	answer, err := whatsmeow.DecryptMediaRetryNotification(evt, ref.Key)
	switch {
	case errors.Is(err, whatsmeow.ErrMediaNotAvailableOnPhone), errors.Is(err, whatsmeow.ErrUnknownMediaRetryError):
		return "", fmt.Errorf("%w, and neither does the phone", ErrExpired)
	case err != nil:
		return "", errUnreadable
	case answer.GetResult() == waMmsRetry.MediaRetryNotification_NOT_FOUND:
		return "", fmt.Errorf("%w, and neither does the phone", ErrExpired)
	case answer.GetResult() != waMmsRetry.MediaRetryNotification_SUCCESS || answer.GetDirectPath() == "":
		return "", fmt.Errorf("%w: the phone could not upload the file again (%s)", ErrUnavailable, answer.GetResult())
	}
	return answer.GetDirectPath(), nil
}

// expect returns a channel that gets what the phone says of a message, until forget is called.
func (w *WhatsApp) expect(id types.MessageID) (answer <-chan *events.MediaRetry, forget func()) {
	mine := make(chan *events.MediaRetry, 4)
	w.mu.Lock()
	w.waiting[id] = append(w.waiting[id], mine)
	w.mu.Unlock()
	return mine, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		left := slices.DeleteFunc(w.waiting[id], func(c chan *events.MediaRetry) bool { return c == mine })
		if w.waiting[id] = left; len(left) == 0 {
			delete(w.waiting, id)
		}
	}
}

// SetPhoneWait sets how long the phone may take, for tests. Call it before any Again.
func (w *WhatsApp) SetPhoneWait(d time.Duration) { w.wait = d }

// Note takes an event of the library; those that are no answer of the phone are passed over. It
// never blocks.
func (w *WhatsApp) Note(evt any) {
	retry, ok := evt.(*events.MediaRetry)
	if !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.waiting[retry.MessageID] {
		select {
		case c <- retry:
		default:
		}
	}
}
