// Package connection is the WhatsApp link of one account: it connects and reconnects, pairs, sends,
// and stores what arrives before WhatsApp may forget it.
//
// [Client.Run] owns the link. One goroutine connects and reacts to what happens to the connection;
// the library's event handler (ingest) works beside it, on one event at a time: translate, append,
// and only after the commit let the library acknowledge. What an event becomes, and how the library
// acknowledges its type, stands in the table of package translate.
package connection
