// Package stanzas notices what arrives from WhatsApp and is about to be acknowledged without an
// event.
//
// The library acknowledges many stanzas that it cannot use: a message of an unknown encryption or
// version, one that its protobuf parser refuses, one whose handling panicked, an emptied channel
// message. Nobody would ever hear of them, and who writes a message decides whether it is one of
// them. [Watch] sees each stanza when it is received and each acknowledgement before it is sent,
// knows which events were told in between, and makes events of the rest.
//
// It sees stanzas through the library's logger, which is given each of them as a value: before a
// received one is handled, and before one is sent. Tests hold both.
package stanzas
