package wasim

import (
	"encoding/hex"
	"strconv"
	"strings"
)

// messageID makes an id as phones do: contactPrefix or phonePrefix and random
// hex digits.
func messageID(prefix string, randomLen int) string {
	return prefix + strings.ToUpper(hex.EncodeToString(randomBytes(randomLen)))
}

const (
	contactPrefix = "3A" // as iPhones start their ids
	phonePrefix   = "AC" // as Android phones do
)

func newContactMessageID() string { return messageID(contactPrefix, 9) }

func newPhoneMessageID() string { return messageID(phonePrefix, 15) }

// stanzaID identifies a stanza of the server.
func stanzaID() string {
	return strconv.FormatUint(uint64(uint24(randomBytes(3))), 10) + "-" + hex.EncodeToString(randomBytes(4))
}

func uintString(v uint64) string { return strconv.FormatUint(v, 10) }
