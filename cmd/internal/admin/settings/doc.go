// Package settings says what the settings of a webhook may be: each is checked, brought into the
// one form that is stored, or refused with a sentence that names the setting and what to do. It
// reads nothing and stores nothing; all functions are safe for concurrent use.
package settings
