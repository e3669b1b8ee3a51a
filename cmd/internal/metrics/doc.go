// Package metrics shows in Prometheus' text format what the service does: what it is told by the
// store, the engine and the lanes as it happens, and what the administration's status says when
// somebody asks. docs/METRICS.md lists the metrics; a test compares it with this package.
//
// A label is the id of a webhook in use or a word of a fixed set: never a URL, a chat or a number.
package metrics
