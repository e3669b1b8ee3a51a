// Package term draws for people: tables, ages, counts, colours, a progress bar, a QR code.
// Everything is a pure function of its arguments or writes to the writer it is given; nothing here
// knows webhooks or commands.
//
// Colours only carry what the text already says: with a Style that has none, the same words remain.
package term
