package config

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"waoutbox/cmd/internal/hosts"
	"waoutbox/cmd/internal/term"
)

// Config is a complete, checked set of settings.
type Config struct {
	WhatsAppURL     string // "" is WhatsApp itself
	WhatsAppRootKey string // 64 hex digits with WhatsAppURL, else ""
	WhatsAppProxy   string // "" is none; its credentials may be sealed: UnsealProxy
	MaxInFlight     int
	DrainTimeout    time.Duration
	MaxSends        int // messages a minute; 0 is no limit
	LogLevel        slog.Level
	LogContent      bool   // whether debug lines hold what people wrote
	LogFormat       string // text or json
	MinFreeBytes    int64
	AlertWebhook    string        // "" is none
	LinkDownAfter   time.Duration // how long the link may be down without an alarm
	Retain          time.Duration // delivered events; 0: no longer than until they are
	RetainPending   time.Duration
	RetainDead      time.Duration
	MaxSize         int64 // bytes in use; 0 is no limit
	// the kinds of media that are kept, each with its largest size in bytes, 0 for none; empty:
	// none is kept
	KeepMedia     map[string]int64
	KeepMediaSize int64         // bytes together; 0 is no limit
	KeepMediaAge  time.Duration // 0: as long as their events
	MediaDirs     []string      // absolute, clean
	WebhookPolicy string        // ask, locked or open
	WebhookHosts  hosts.List
	MCPPreview    bool // texts of messages in what MCP clients subscribe webhooks for
	MCPNoExpiry   bool
	MCPLoopback   bool   // plain http on this machine
	HTTP          string // HOST:PORT; "" is no listener
	HTTPCert      string // "" is no TLS
	HTTPKey       string
	HTTPInsecure  bool
	HTTPHosts     []string // in lower case

	values []Value
}

// Source says where a value came from.
type Source string

const (
	SourceFlag    Source = "flag"
	SourceEnv     Source = "env"
	SourceFile    Source = "file"
	SourceDefault Source = "default"
)

// Value is one setting as it is in force. Text is "" when it is unset; Shown is the same, safe to
// print anywhere.
type Value struct {
	Setting Setting
	Text    string
	Shown   string
	Source  Source
}

// Error is a setting that cannot be used: which one, where it was found, and a sentence with the
// fix.
type Error struct {
	Key    string
	Source Source
	Text   string
}

func (e *Error) Error() string { return e.Text }

// Load reads the settings that are in force: flags (by key, only those that were given), else the
// environment, else the file at path, else the default. A file that is not there is an empty one.
// Every error is one sentence that names the setting and the fix.
func Load(path string, flags map[string]string, getenv func(string) string) (Config, error) {
	stored, err := readFile(path)
	if err != nil {
		return Config{}, err
	}
	for key := range flags {
		if _, ok := find(key); !ok {
			return Config{}, unknownKey(key, "--"+key)
		}
	}
	var c Config
	for _, s := range Keys() {
		v := pick(s, flags, getenv, stored)
		if v.Text != "" {
			err := s.check(v.Text)
			if err == nil && s.Key == KeyWhatsAppProxy && v.Source == SourceFlag && HasProxyCredentials(v.Text) {
				err = fmt.Errorf("a command line is no place for a password, every user here can read it: printf %%s http://USER:PASSWORD@HOST:PORT | %s, or $%s",
					command(path, "config set whatsapp-proxy -"), s.Env)
			}
			if err != nil {
				return Config{}, badValue(s, v.Source, path, err)
			}
		}
		if err := s.apply(&c, v.Text); err != nil {
			return Config{}, badValue(s, v.Source, path, err)
		}
		c.values = append(c.values, v)
	}
	if hint := missingPartner(path, c.WhatsAppURL != "", c.WhatsAppRootKey != ""); hint != "" {
		return Config{}, &Error{Key: KeyWhatsAppURL, Source: c.source(KeyWhatsAppURL, KeyWhatsAppRootKey), Text: hint}
	}
	return c, nil
}

// Defaults returns the settings of a state that has none.
func Defaults() (Config, error) {
	return Load("", nil, func(string) string { return "" })
}

// pick chooses a setting's value by precedence. A flag that was given empty unsets what stands
// below it.
func pick(s Setting, flags map[string]string, getenv func(string) string, stored map[string]string) Value {
	v := Value{Setting: s, Text: s.Default, Source: SourceDefault}
	if text, ok := flags[s.Key]; ok {
		v.Text, v.Source = text, SourceFlag
		if text == "" {
			v.Text = s.Default
		}
	} else if text := getenv(s.Env); text != "" {
		v.Text, v.Source = text, SourceEnv
	} else if text, ok := stored[s.Key]; ok {
		v.Text, v.Source = text, SourceFile
	}
	v.Shown = s.shown(v.Text)
	return v
}

func (s Setting) shown(text string) string {
	if s.Secret && text != "" {
		if s.show != nil {
			return s.show(text)
		}
		return "(set)"
	}
	return text
}

// missingPartner says what is absent when only one of the two settings of another server is there;
// "" when both or none are.
func missingPartner(path string, hasURL, hasKey bool) string {
	const why = "whatsapp-url and whatsapp-root-key belong together: "
	switch {
	case hasURL && !hasKey:
		return why + "also set the root key that the server printed: " + command(path, "config set whatsapp-root-key HEX") + " (or --whatsapp-root-key)"
	case hasKey && !hasURL:
		return why + "also set the server's address: " + command(path, "config set whatsapp-url ws://127.0.0.1:PORT/ws/chat") + " (or --whatsapp-url)"
	}
	return ""
}

func (c Config) source(keys ...string) Source {
	for _, v := range c.values {
		for _, key := range keys {
			if v.Setting.Key == key && v.Source != SourceDefault {
				return v.Source
			}
		}
	}
	return SourceDefault
}

// From says where the value of a setting came from.
func (c Config) From(key string) Source { return c.source(key) }

// Values returns every setting with the place it came from, in the order of Keys.
func (c Config) Values() []Value { return append([]Value(nil), c.values...) }

// LogValue is every setting, secrets replaced.
func (c Config) LogValue() slog.Value {
	var attrs []slog.Attr
	for _, v := range c.values {
		attrs = append(attrs, slog.String(v.Setting.Key, v.Shown))
	}
	return slog.GroupValue(attrs...)
}

// String keeps secrets out of %v as well.
func (c Config) String() string { return c.LogValue().String() }

// GoString keeps secrets out of %#v as well.
func (c Config) GoString() string { return c.String() }

func unknownKey(key, where string) error {
	return &Error{Key: key, Source: SourceFlag, Text: fmt.Sprintf("unknown setting %q (%s).%s Known: %s", key, where, term.DidYouMean(key, keyNames()), keyList())}
}

// unknownMember is a key in the file that is no setting.
func unknownMember(path, key string) error {
	return &Error{Key: key, Source: SourceFile, Text: fmt.Sprintf("unknown setting %q in %s (known: %s). Remove it: %s",
		key, path, keyList(), command(path, "config unset "+term.Quote(key)))}
}

// command is a command line on the state that the file at path belongs to.
func command(path, args string) string { return term.Command(filepath.Dir(path), args) }

// badValue wraps what a check said: the setting, the place, the fix.
func badValue(s Setting, src Source, path string, err error) error {
	where, mend := "--"+s.Key, ""
	switch src {
	case SourceEnv:
		where = "$" + s.Env
	case SourceFile:
		where = s.Key + " in " + path
		mend = fmt.Sprintf(". Set it right: %s, or go back to the default: %s", command(path, "config set "+s.Key+" VALUE"), command(path, "config unset "+s.Key))
	case SourceDefault:
		where = s.Key
	}
	return &Error{Key: s.Key, Source: src, Text: fmt.Sprintf("%s: %s%s", where, strings.TrimSuffix(err.Error(), "."), mend)}
}

// IsUsage says whether err is a setting given wrongly (on the command line, in the environment or
// in the file), as opposed to a file that could not be read or written.
func IsUsage(err error) bool {
	_, ok := errors.AsType[*Error](err)
	return ok
}
