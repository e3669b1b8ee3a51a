// Package wasim is a WhatsApp server for tests, demos and benchmarks: it speaks
// the real protocol to an unmodified whatsmeow client over loopback, with its
// own root key in place of WhatsApp's.
package wasim
