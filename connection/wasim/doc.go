// Package wasim is a WhatsApp server for tests, demos and benchmarks: it speaks the real protocol
// to an unmodified whatsmeow client over loopback, with its own root key in place of WhatsApp's.
// Nothing in the client is replaced; it runs its own Noise handshake, pairing, Signal sessions and
// acknowledgements.
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
// A client reaches the server in place of WhatsApp by two settings: the process-wide variable
// whatsmeow.WACertPubKey holds the bytes of RootKey, and its HTTP clients send web.whatsapp.com to
// the address of URL. One process can therefore not use the simulator and WhatsApp at once, nor two
// simulators with different root keys.
//
// # What is promised
//
// Every message, receipt and notification for a companion goes through its outbox: in order, at
// most 500 unacknowledged on a connection, and again after each login, with the same ciphertext and
// an offline attribute, until the companion acknowledges it. A message counts as acknowledged when
// the client sends its delivery receipt, or an <ack class=message>; a message the client asked for
// again with a retry receipt only once the new copy is. Presence and typing are never queued. One
// account has one companion at most.
//
// # Derived from the client's code
//
// The client would reject or misread anything else: handshake, certificates with their dates, node
// encoding, pairing by QR and by code with its signatures, prekey formats, parsing of messages,
// receipts, group and encryption notifications, usync replies with LIDs, synced settings, stream
// errors and failures, retry receipts both ways.
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
//   - that a logout by the companion ends without a stream error
//   - that prekeys are asked for below 5, and not by a queued notification
//   - props, location and most other attributes of success; phash (absent);
//     key-index values; version ids of groups; texts of iq errors
//   - that a direct receipt carries sender_pn, and which addressing_mode and
//     alternate JIDs stand on receipts and typing
//   - the attributes of the phone's message that brings the key for synced
//     settings (SetPushName), and that a conflicting change of them is refused with 409
//   - that presence reaches a companion that did not subscribe (see
//     RequirePresenceSubscription for the stricter, likelier behaviour)
//   - that repeated sends with one id are not merged; rate limits (absent)
//   - the codes of refusals: 400 malformed, 403 not a member or not an admin, 404 unknown, 406 bad
//     prekeys, 501 a request of an unknown kind; that a message which starts a session without a
//     device identity is refused (its receivers could not trust it)
//   - the hash in the digest of prekeys; the stanzas of calls besides what the client reads of
//     them; the attributes of status posts and of deleted channel messages
//   - what a phone keeps as synced settings before the first change
//
// A green test here is therefore no proof for WhatsApp itself: keep a manual checklist with a real
// phone.
//
// # Why one package
//
// A stanza touches accounts, groups, sessions and the outbox under one lock, the account's, so
// these parts share their state. There is one file for each kind of stanza; control_*.go is the
// HTTP API, state*.go what is saved, media*.go the server that keeps files. What shares nothing is
// beside: package noise encrypts connections, package fault plans what goes wrong on them.
//
// # Where is what
//
//	server, conn, login, iq, stanzas            a connection and its stanzas
//	pair, paircode                              linking
//	queue, outbox, delivery, faults             what waits, in which order, and what goes wrong
//	party, signalstore, prekeys, retry          encryption
//	contact, phone, form, odd, raw, transmit    messages to the companion
//	inbound, received, receipts, usync          messages of the companion
//	group*, community, channel*, status, call   the rest of the world
//	appstate*, settings, history, reinstall     what phones share, and new phones
//	media*                                      files
//
// # Not there
//
// Several companions of one account, messages between two simulated accounts, status posts of the
// companion, requests of the account to join groups.
package wasim
