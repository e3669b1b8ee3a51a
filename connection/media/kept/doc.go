// Package kept fetches the media of messages after their events were stored, and keeps them for as
// long as the events.
//
// A [Store] reads the log of events behind whoever appends to it, so that it delays nothing. What
// it found, what it still wants and what it has stands in a journal, so that it goes on after a
// restart where it was. A file is stored under the SHA-256 of its content, once for all messages
// that have it, and only after it was checked: it is written beside, synced and renamed.
package kept
