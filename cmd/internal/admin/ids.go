package admin

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// idPrefix begins every webhook id.
const idPrefix = "wh_"

// newID makes a webhook id that was never given: 8 characters of Crockford's base32, which has no
// letters that read alike.
func (s *Service) newID(ctx context.Context) (outbox.SubID, error) {
	enc := base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)
	for {
		var b [5]byte
		rand.Read(b[:]) // never fails
		id := outbox.SubID(idPrefix + enc.EncodeToString(b[:]))
		switch _, err := s.o.Engine.Sub(ctx, id); {
		case errors.Is(err, outbox.ErrNotFound):
			return id, nil
		case err != nil:
			return "", apiError(err, "register the webhook")
		}
	}
}

// deadLetterID is dl_<webhook>_<seq>.
func deadLetterID(sub outbox.SubID, seq outbox.Seq) string { return fmt.Sprintf("dl_%s_%d", sub, seq) }

// parseDeadLetterID reads what deadLetterID wrote.
func (s *Service) parseDeadLetterID(id string) (outbox.SubID, outbox.Seq, error) {
	if sub, digits, ok := cutLast(strings.TrimPrefix(id, "dl_"), '_'); ok && strings.HasPrefix(id, "dl_") && sub != "" {
		if n, err := strconv.ParseUint(digits, 10, 64); err == nil && n > 0 {
			return outbox.SubID(sub), outbox.Seq(n), nil
		}
	}
	return "", 0, api.Errorf(api.CodeInvalidArguments,
		"%q is no dead letter id: they look like dl_wh_7K2M_1042; see them with: %s", id, s.command("deadletter list")).In("id")
}

// named says of an error about an id that the request has it in another field.
func named(err error, field string) {
	if e, ok := errors.AsType[*api.Error](err); ok && e.Field == "id" {
		e.Field = field
	}
}

// cutLast cuts text around the last separator.
func cutLast(text string, sep byte) (before, after string, ok bool) {
	i := strings.LastIndexByte(text, sep)
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+1:], true
}
