package wasim

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waMmsRetry"
	"go.mau.fi/whatsmeow/util/gcmutil"
	"go.mau.fi/whatsmeow/util/hkdfutil"
)

// MediaRetry is what the account's phone does when the companion asks it for a medium that the
// media servers have dropped.
type MediaRetry string

const (
	RetryUploads MediaRetry = "uploads" // puts it there again, under another path: the default
	RetryGone    MediaRetry = "gone"    // has it no longer
	RetryRefused MediaRetry = "refused" // says so without an encrypted reply
	RetrySilent  MediaRetry = "silent"  // is off
)

// SetMediaRetry chooses what the phone does about media that are asked for again.
func (a *Account) SetMediaRetry(r MediaRetry) error {
	switch r {
	case RetryUploads, RetryGone, RetryRefused, RetrySilent:
	default:
		return fmt.Errorf("%q is not uploads, gone, refused or silent", string(r))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mediaRetry = r
	return nil
}

// retryMedia serves a receipt of type server-error: the companion wants a medium again. It returns
// the phone's notification, if the phone gives one.
func (a *Account) retryMedia(receipt *waBinary.Node) (waBinary.Node, error) {
	id := attrString(*receipt, "id")
	a.mu.Lock()
	m, mode := a.media[id], a.mediaRetry
	a.mu.Unlock()
	rmr := receipt.GetChildByTag("rmr")
	if rmr.Tag == "" || rmr.Attrs["jid"] == nil {
		return waBinary.Node{}, fmt.Errorf("media retry of %s names no chat", id)
	}
	note := waBinary.Node{Tag: "notification", Attrs: waBinary.Attrs{
		"from": a.pn, "type": "mediaretry", "id": id, "t": unix(time.Now()),
	}}
	if mode == RetrySilent {
		return waBinary.Node{}, nil
	}
	if m == nil || mode == RetryRefused {
		note.Content = []waBinary.Node{rmr, {Tag: "error", Attrs: waBinary.Attrs{"code": 2}}}
		return note, nil
	}
	if err := m.openRetry(id, receipt); err != nil {
		return waBinary.Node{}, err
	}
	answer := &waMmsRetry.MediaRetryNotification{StanzaID: &id, Result: waMmsRetry.MediaRetryNotification_NOT_FOUND.Enum()}
	if mode == RetryUploads || mode == "" {
		a.srv.mu.Lock()
		a.srv.publish(m)
		answer.DirectPath, answer.Result = proto.String(m.path), waMmsRetry.MediaRetryNotification_SUCCESS.Enum()
		a.srv.mu.Unlock()
	}
	plain, err := proto.Marshal(answer)
	if err != nil {
		return waBinary.Node{}, fmt.Errorf("marshal a media retry: %w", err)
	}
	iv := randomBytes(12)
	sealed, err := gcmutil.Encrypt(m.retryKey(), iv, plain, []byte(id))
	if err != nil {
		return waBinary.Node{}, fmt.Errorf("encrypt a media retry: %w", err)
	}
	note.Content = []waBinary.Node{rmr, {Tag: "encrypt", Content: []waBinary.Node{
		{Tag: "enc_p", Content: sealed}, {Tag: "enc_iv", Content: iv},
	}}}
	return note, nil
}

// openRetry checks that the request knows the medium's key.
func (m *Medium) openRetry(id string, receipt *waBinary.Node) error {
	encrypt := receipt.GetChildByTag("encrypt")
	sealedNode, ivNode := encrypt.GetChildByTag("enc_p"), encrypt.GetChildByTag("enc_iv")
	sealed, _ := sealedNode.Content.([]byte)
	iv, _ := ivNode.Content.([]byte)
	plain, err := gcmutil.Decrypt(m.retryKey(), iv, sealed, []byte(id))
	if err != nil {
		return fmt.Errorf("media retry of %s is not readable: %w", id, err)
	}
	var asked waMmsRetry.ServerErrorReceipt
	if err := proto.Unmarshal(plain, &asked); err != nil || asked.GetStanzaID() != id {
		return fmt.Errorf("media retry of %s asks for %q (%w)", id, asked.GetStanzaID(), err)
	}
	return nil
}

func (m *Medium) retryKey() []byte {
	return hkdfutil.SHA256(m.key, nil, []byte("WhatsApp Media Retry Notification"), 32)
}
