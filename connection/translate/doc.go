// Package translate turns the events of the WhatsApp library into the events of the outbox, with
// their names, ids and final bytes. It does no I/O but the look-up of a user's other address.
//
// table.go has one row for each type the library dispatches; catalog.go has the event names, which
// nothing else may spell out. The bodies it makes are pinned byte for byte in testdata/events.
package translate
