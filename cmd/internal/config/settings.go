// Package config is the service's settings: one table of them, read with the precedence flag > environment > config.json > default,
// and changed only through config.json. Beside the standard library it imports store alone, for the words of its errors.
package config

import "strings"

// Kind says what a setting's text must look like.
type Kind string

const (
	KindURL   Kind = "url"
	KindHex   Kind = "hex"
	KindInt   Kind = "integer"
	KindBytes Kind = "bytes" // an integer, or 256MiB, 1GiB, 500MB
	KindEnum  Kind = "enum"
)

// The keys: as written in config.json, as the flag's name and on `config set`.
const (
	KeyWhatsAppURL     = "whatsapp-url"
	KeyWhatsAppRootKey = "whatsapp-root-key"
	KeyMaxInFlight     = "max-in-flight"
	KeyLogLevel        = "log-level"
	KeyLogFormat       = "log-format"
	KeyMinFreeBytes    = "min-free-bytes"
)

// Limits of max-in-flight: at least one delivery must fly, and 512 connections are what one process should hold open.
const (
	MinInFlight = 1
	MaxInFlight = 512
)

// Setting describes one setting.
type Setting struct {
	Key     string   // also the name of the flag
	Kind    Kind     // how the value is written
	Default string   // "" is unset
	Env     string   // its twin in the environment; an empty variable counts as unset
	Help    string   // one line for --help and `config list`
	Values  []string // all that KindEnum allows
	Secret  bool     // its value never occurs in a log or a listing

	check func(string) error          // what is wrong with a value and how to mend it; nil when it is fine
	apply func(*Config, string) error // parses a checked value into its field; "" resets it
}

// Keys answers every setting, in the order in which they are shown. The slice is the caller's.
func Keys() []Setting {
	return []Setting{
		{
			Key: KeyWhatsAppURL, Kind: KindURL, Env: envName(KeyWhatsAppURL),
			Help:  "another server that speaks the WhatsApp protocol, on this machine only: ws://127.0.0.1:PORT/ws/chat",
			check: checkLoopbackURL,
			apply: func(c *Config, v string) error { c.WhatsAppURL = v; return nil },
		},
		{
			// The public half of that server's key. It is no secret, but 64 hex digits in a log get taken for a leaked one.
			Key: KeyWhatsAppRootKey, Kind: KindHex, Env: envName(KeyWhatsAppRootKey), Secret: true,
			Help:  "the root key of that server, 64 hex digits",
			check: checkRootKey,
			apply: func(c *Config, v string) error { c.WhatsAppRootKey = strings.ToLower(v); return nil },
		},
		{
			Key: KeyMaxInFlight, Kind: KindInt, Default: "16", Env: envName(KeyMaxInFlight),
			Help:  "deliveries one webhook may have in flight at once, 1 to 512",
			check: func(v string) error { _, err := parseInt(v, MinInFlight, MaxInFlight); return err },
			apply: func(c *Config, v string) (err error) {
				c.MaxInFlight, err = parseInt(v, MinInFlight, MaxInFlight)
				return err
			},
		},
		{
			Key: KeyLogLevel, Kind: KindEnum, Default: "info", Env: envName(KeyLogLevel), Values: []string{"debug", "info", "warn", "error"},
			Help:  "least level that is logged: debug, info, warn or error",
			check: oneOf("debug", "info", "warn", "error"),
			apply: func(c *Config, v string) error { return c.LogLevel.UnmarshalText([]byte(v)) },
		},
		{
			Key: KeyLogFormat, Kind: KindEnum, Default: "text", Env: envName(KeyLogFormat), Values: []string{"text", "json"},
			Help:  "how log lines are written: text or json",
			check: oneOf("text", "json"),
			apply: func(c *Config, v string) error { c.LogFormat = v; return nil },
		},
		{
			Key: KeyMinFreeBytes, Kind: KindBytes, Default: "256MiB", Env: envName(KeyMinFreeBytes),
			Help:  "free disk space below which no event is accepted: a number of bytes, or 256MiB style",
			check: func(v string) error { _, err := ParseBytes(v); return err },
			apply: func(c *Config, v string) (err error) { c.MinFreeBytes, err = ParseBytes(v); return err },
		},
	}
}

// envName is a key's twin in the environment: whatsapp-url is WAOUTBOX_WHATSAPP_URL.
func envName(key string) string {
	return "WAOUTBOX_" + strings.ToUpper(strings.ReplaceAll(key, "-", "_"))
}

// find answers the setting of that key.
func find(key string) (Setting, bool) {
	for _, s := range Keys() {
		if s.Key == key {
			return s, true
		}
	}
	return Setting{}, false
}

// keyList names every key, for error sentences.
func keyList() string {
	var names []string
	for _, s := range Keys() {
		names = append(names, s.Key)
	}
	return strings.Join(names, ", ")
}
