// Package compose makes WhatsApp messages of what was asked to be sent, one file a kind. A kind
// checks what can be checked without the link, and builds its message once the chat is known. It
// does no I/O of its own: what a message needs to know besides is asked of an Env.
package compose
