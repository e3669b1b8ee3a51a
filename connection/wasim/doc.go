// Package wasim is a WhatsApp server for tests, demos and benchmarks: it speaks
// the real protocol to an unmodified whatsmeow client over loopback, with its
// own root key in place of WhatsApp's. Nothing in the client is replaced; it
// runs its own Noise handshake, pairing, Signal sessions and acknowledgements.
//
// # Using it
//
//	s, _ := wasim.New(wasim.Options{})
//	_ = s.Listen("127.0.0.1:0")
//	shop := s.NewAccount("491515550100", "Shop")
//	bob := shop.NewContact("Bob", "15550100123")
//	_ = shop.ScanQR(ctx, qr)             // the text an unlinked client shows
//	_ = shop.WaitOnline(ctx)
//	id, _ := bob.SendText(ctx, "hello")  // encrypted now, sent when online
//	_ = shop.WaitDrained(ctx)            // the client has acknowledged it
//
// A client reaches the server in place of WhatsApp by two settings: the
// process-wide variable whatsmeow.WACertPubKey holds the bytes of RootKey, and
// its HTTP clients send web.whatsapp.com to the address of URL. One process can
// therefore not use the simulator and WhatsApp at once, nor two simulators with
// different root keys.
//
// # What is promised
//
// Every message, receipt and notification for a companion goes through its
// outbox: in order, at most 500 unacknowledged on a connection, and again after
// each login, with the same ciphertext and an offline attribute, until the
// companion acknowledges it. A message counts as acknowledged when the client
// sends its delivery receipt, or an <ack class=message>; a message the client
// asked for again with a retry receipt only once the new copy is. Presence and
// typing are never queued. One account has one companion at most.
//
// # Derived from the client's code
//
// The client would reject or misread anything else: handshake, certificates
// with their dates, node encoding, pairing by QR and by code with its signatures, prekey formats,
// parsing of messages, receipts, group and encryption notifications, usync
// answers with LIDs, synced settings, stream errors and failures, retry receipts
// both ways.
//
// # Guessed
//
// The client's code does not decide these, or only hints at them:
//   - that the real server redelivers everything unacknowledged in order and
//     unchanged, after "active" and with an offline attribute; its limits and pacing
//   - that a delivery receipt counts as the acknowledgement of a message
//   - when the connection is closed after a stream error (here 250 ms later),
//     and that a newer login replaces an older connection
//   - the order around pair-success and the time of the 515
//   - that a logout by the companion is answered without a stream error
//   - that prekeys are asked for below 5, and not by a queued notification
//   - props, location and most other attributes of success; phash (absent);
//     key-index values; version ids of groups; texts of iq errors
//   - that a direct receipt carries sender_pn, and which addressing_mode and
//     alternate JIDs stand on receipts and typing
//   - the attributes of the phone's message that brings the key for synced
//     settings (SetPushName), and that a conflicting change of them answers 409
//   - that presence reaches a companion that did not subscribe (see
//     RequirePresenceSubscription for the stricter, likelier behaviour)
//   - that repeated sends with one id are not merged; rate limits and bans (absent)
//
// A green test here is therefore no proof for WhatsApp itself: keep a manual
// checklist with a real phone.
//
// # Not there
//
// Several companions of one account, messages between two simulated accounts,
// media, history sync, contacts as synced settings, calls, newsletters, status.
package wasim
