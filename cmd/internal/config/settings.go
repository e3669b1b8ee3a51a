// Package config is the service's settings: one table of them, read with the precedence flag >
// environment > config.json > default, and changed only through config.json.
package config

import (
	"strings"
	"time"

	"waoutbox/cmd/internal/hosts"
	"waoutbox/connection/whatsappurl"
)

// Kind says what a setting's text must look like.
type Kind string

const (
	KindURL   Kind = "url"
	KindHex   Kind = "hex"
	KindInt   Kind = "integer"
	KindBytes Kind = "bytes" // an integer, or 256MiB, 1GiB, 500MB
	KindEnum  Kind = "enum"
	// a time with its unit: 90m, 72h, 30d
	KindDuration Kind = "duration"
	KindMedia    Kind = "media" // off, all, or kinds of media: image,document=20MiB
	KindDirs     Kind = "directories"
	KindHosts    Kind = "hosts"   // a.example,a.example/hooks,*.b.example,192.168.1.5:5678
	KindAddress  Kind = "address" // HOST:PORT
	KindFile     Kind = "file"    // an absolute path
	KindBool     Kind = "boolean" // true or false
	KindNames    Kind = "names"   // of hosts, separated by commas
)

// The keys: as written in config.json, as the flag's name and on `config set`.
const (
	KeyWhatsAppURL     = "whatsapp-url"
	KeyWhatsAppRootKey = "whatsapp-root-key"
	KeyWhatsAppProxy   = "whatsapp-proxy"
	KeyMaxInFlight     = "max-in-flight"
	KeyDrainTimeout    = "drain-timeout"
	KeyMaxSends        = "max-sends"
	KeyLogLevel        = "log-level"
	KeyLogFormat       = "log-format"
	KeyLogContent      = "log-content"
	KeyMinFreeBytes    = "min-free-bytes"
	KeyRetain          = "retain"
	KeyRetainPending   = "retain-pending"
	KeyRetainDead      = "retain-dead"
	KeyMaxSize         = "max-size"
	KeyKeepMedia       = "keep-media"
	KeyKeepMediaSize   = "keep-media-size"
	KeyKeepMediaAge    = "keep-media-age"
	KeyMediaDirs       = "media-dirs"
	KeyWebhookPolicy   = "webhook-policy"
	KeyWebhookHosts    = "webhook-hosts"
	KeyMCPPreview      = "mcp-webhook-preview"
	KeyMCPNoExpiry     = "mcp-webhook-no-expiry"
	KeyMCPLoopback     = "mcp-webhook-loopback-http"
	KeyHTTP            = "http"
	KeyHTTPCert        = "http-tls-cert"
	KeyHTTPKey         = "http-tls-key"
	KeyHTTPInsecure    = "http-insecure"
	KeyHTTPHosts       = "http-hosts"
	KeyAlertWebhook    = "alert-webhook"
	KeyLinkDownAfter   = "link-down-after"
)

// Limits of max-in-flight: at least one delivery must be possible, and 512 connections are what one
// process should hold open.
const (
	MinInFlight = 1
	MaxInFlight = 512
)

// MostSends is the most of max-sends: WhatsApp bans accounts long before.
const MostSends = 6000

// MaxDrain is the most of drain-timeout: a command that stops the service waits two minutes.
const MaxDrain = 100 * time.Second

// Limits of how long things are kept: what waits, or is dead, is there for an hour at least.
const (
	MinRetain = time.Hour
	MaxRetain = 10 * 365 * 24 * time.Hour
)

// Limits of link-down-after: a link that connects again takes seconds, and within a day somebody
// should know.
const (
	MinLinkDown = 10 * time.Second
	MaxLinkDown = 24 * time.Hour
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

	// what is shown of a secret value instead of it; nil shows "(set)"
	show func(string) string
	// what is wrong with a value and how to mend it; nil when it is fine
	check func(string) error
	apply func(*Config, string) error // parses a checked value into its field; "" resets it
}

// Keys returns every setting, in the order in which they are shown. The slice is the caller's.
func Keys() []Setting {
	return []Setting{
		{
			Key: KeyWhatsAppURL, Kind: KindURL, Env: envName(KeyWhatsAppURL),
			Help:  "another server that speaks the WhatsApp protocol, on this machine only: ws://127.0.0.1:PORT/ws/chat",
			check: whatsappurl.Check,
			apply: func(c *Config, v string) error { c.WhatsAppURL = v; return nil },
		},
		{
			// The public half of that server's key. It is no secret, but 64 hex digits in a log get
			// taken for a leaked one.
			Key: KeyWhatsAppRootKey, Kind: KindHex, Env: envName(KeyWhatsAppRootKey), Secret: true,
			Help:  "the root key of that server, 64 hex digits",
			check: whatsappurl.CheckRootKey,
			apply: func(c *Config, v string) error { c.WhatsAppRootKey = strings.ToLower(v); return nil },
		},
		{
			Key: KeyWhatsAppProxy, Kind: KindURL, Env: envName(KeyWhatsAppProxy), Secret: true, show: proxyShown,
			Help:  "the proxy to WhatsApp, media too: http://HOST:PORT, https:// or socks5://; USER:PASSWORD@HOST is sealed; \"environment\" takes HTTPS_PROXY; unset is none",
			check: checkProxy,
			apply: func(c *Config, v string) error { c.WhatsAppProxy = v; return nil },
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
			Key: KeyDrainTimeout, Kind: KindDuration, Default: "10s", Env: envName(KeyDrainTimeout),
			Help:  "how long requests under way may take when the service stops: 10s; 0 is not at all",
			check: func(v string) error { _, err := parseDuration(v, 0, MaxDrain); return err },
			apply: func(c *Config, v string) (err error) { c.DrainTimeout, err = parseDuration(v, 0, MaxDrain); return err },
		},
		{
			Key: KeyMaxSends, Kind: KindInt, Default: "60", Env: envName(KeyMaxSends),
			Help:  "messages that may be sent a minute, a third of them at once; 0 is no limit",
			check: func(v string) error { _, err := parseInt(v, 0, MostSends); return err },
			apply: func(c *Config, v string) (err error) { c.MaxSends, err = parseInt(v, 0, MostSends); return err },
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
			Key: KeyLogContent, Kind: KindBool, Default: "false", Env: envName(KeyLogContent),
			Help:  "true has lines of the level debug hold whole messages, names and phone numbers: to look into the protocol, and never for long",
			check: func(v string) error { _, err := parseBool(v); return err },
			apply: func(c *Config, v string) (err error) { c.LogContent, err = parseBool(v); return err },
		},
		{
			Key: KeyMinFreeBytes, Kind: KindBytes, Default: "256MiB", Env: envName(KeyMinFreeBytes),
			Help:  "free disk space below which no event is accepted: a number of bytes, or 256MiB style; 0 is none",
			check: func(v string) error { _, err := ParseBytes(v); return err },
			apply: func(c *Config, v string) (err error) { c.MinFreeBytes, err = ParseBytes(v); return err },
		},
		{
			Key: KeyRetain, Kind: KindDuration, Default: "72h", Env: envName(KeyRetain),
			Help:  "how long events are kept that every webhook has got: 72h, 30d; 0 is no longer than that",
			check: func(v string) error { _, err := parseDuration(v, 0, MaxRetain); return err },
			apply: func(c *Config, v string) (err error) { c.Retain, err = parseDuration(v, 0, MaxRetain); return err },
		},
		{
			Key: KeyRetainPending, Kind: KindDuration, Default: "30d", Env: envName(KeyRetainPending),
			Help:  "how long a delivery may wait before it expires: 1h at least",
			check: func(v string) error { _, err := parseDuration(v, MinRetain, MaxRetain); return err },
			apply: func(c *Config, v string) (err error) {
				c.RetainPending, err = parseDuration(v, MinRetain, MaxRetain)
				return err
			},
		},
		{
			Key: KeyRetainDead, Kind: KindDuration, Default: "30d", Env: envName(KeyRetainDead),
			Help:  "how long dead letters are kept: 1h at least",
			check: func(v string) error { _, err := parseDuration(v, MinRetain, MaxRetain); return err },
			apply: func(c *Config, v string) (err error) {
				c.RetainDead, err = parseDuration(v, MinRetain, MaxRetain)
				return err
			},
		},
		{
			Key: KeyMaxSize, Kind: KindBytes, Default: "10GiB", Env: envName(KeyMaxSize),
			Help:  "what the outbox may hold before the oldest of it goes: a number of bytes, or 10GiB style; 0 is no limit",
			check: func(v string) error { _, err := parseMaxSize(v); return err },
			apply: func(c *Config, v string) (err error) { c.MaxSize, err = parseMaxSize(v); return err },
		},
		{
			Key: KeyKeepMedia, Kind: KindMedia, Default: "off", Env: envName(KeyKeepMedia),
			Help:  "media that are fetched when they arrive and kept with their events: off, all, or kinds, each with its largest size if it has one: image,voice,document=20MiB",
			check: func(v string) error { _, err := parseKeepMedia(v); return err },
			apply: func(c *Config, v string) (err error) { c.KeepMedia, err = parseKeepMedia(v); return err },
		},
		{
			Key: KeyKeepMediaSize, Kind: KindBytes, Default: "1GiB", Env: envName(KeyKeepMediaSize),
			Help:  "what kept media may take together before the oldest go: a number of bytes, or 1GiB style; 0 is no limit",
			check: func(v string) error { _, err := ParseBytes(v); return err },
			apply: func(c *Config, v string) (err error) { c.KeepMediaSize, err = ParseBytes(v); return err },
		},
		{
			Key: KeyKeepMediaAge, Kind: KindDuration, Default: "0", Env: envName(KeyKeepMediaAge),
			Help:  "how long kept media stay at most: 24h, 7d; 0 is as long as their events",
			check: func(v string) error { _, err := parseDuration(v, 0, MaxRetain); return err },
			apply: func(c *Config, v string) (err error) {
				c.KeepMediaAge, err = parseDuration(v, 0, MaxRetain)
				return err
			},
		},
		{
			Key: KeyMediaDirs, Kind: KindDirs, Env: envName(KeyMediaDirs),
			Help:  "directories out of which agents and programs may send files, absolute and separated as in PATH; none: none (the command line may send any)",
			check: func(v string) error { _, err := parseDirs(v); return err },
			apply: func(c *Config, v string) (err error) { c.MediaDirs, err = parseDirs(v); return err },
		},
		{
			Key: KeyWebhookPolicy, Kind: KindEnum, Default: "ask", Env: envName(KeyWebhookPolicy), Values: []string{"ask", "locked", "open"},
			Help:  "what happens when an agent registers a webhook on a host that is not in webhook-hosts: ask (the user, where the agent's client can), locked (refuse, programs too) or open",
			check: oneOf("ask", "locked", "open"),
			apply: func(c *Config, v string) error { c.WebhookPolicy = v; return nil },
		},
		{
			Key: KeyWebhookHosts, Kind: KindHosts, Env: envName(KeyWebhookHosts),
			Help:  "hosts that agents and programs may send events to, with commas: a.example,a.example/hooks,*.b.example; this machine always",
			check: func(v string) error { _, err := hosts.Parse(v); return err },
			apply: func(c *Config, v string) (err error) { c.WebhookHosts, err = hosts.Parse(v); return err },
		},
		{
			Key: KeyMCPPreview, Kind: KindBool, Default: "false", Env: envName(KeyMCPPreview),
			Help:  "true puts the beginning of messages' texts into the webhooks that MCP clients subscribe",
			check: func(v string) error { _, err := parseBool(v); return err },
			apply: func(c *Config, v string) (err error) { c.MCPPreview, err = parseBool(v); return err },
		},
		{
			Key: KeyMCPNoExpiry, Kind: KindBool, Default: "false", Env: envName(KeyMCPNoExpiry),
			Help:  "true lets the webhooks that MCP clients subscribe have no end; else a day at most, unless renewed",
			check: func(v string) error { _, err := parseBool(v); return err },
			apply: func(c *Config, v string) (err error) { c.MCPNoExpiry, err = parseBool(v); return err },
		},
		{
			Key: KeyMCPLoopback, Kind: KindBool, Default: "false", Env: envName(KeyMCPLoopback),
			Help:  "true lets MCP clients subscribe plain http URLs on this machine, if webhook-hosts has it: for tests",
			check: func(v string) error { _, err := parseBool(v); return err },
			apply: func(c *Config, v string) (err error) { c.MCPLoopback, err = parseBool(v); return err },
		},
		{
			Key: KeyHTTP, Kind: KindAddress, Default: "off", Env: envName(KeyHTTP),
			Help:  "the address of the HTTP listener for programs and agents: 127.0.0.1:8080, port 0 for any free one; off is none",
			check: func(v string) error { _, err := parseAddress(v); return err },
			apply: func(c *Config, v string) (err error) { c.HTTP, err = parseAddress(v); return err },
		},
		{
			Key: KeyHTTPCert, Kind: KindFile, Env: envName(KeyHTTPCert),
			Help:  "the certificate of the HTTP listener, a PEM file with its chain; read again when it is renewed",
			check: checkFile,
			apply: func(c *Config, v string) error { c.HTTPCert = v; return nil },
		},
		{
			Key: KeyHTTPKey, Kind: KindFile, Env: envName(KeyHTTPKey),
			Help:  "the key of that certificate, a PEM file",
			check: checkFile,
			apply: func(c *Config, v string) error { c.HTTPKey = v; return nil },
		},
		{
			Key: KeyHTTPInsecure, Kind: KindBool, Default: "false", Env: envName(KeyHTTPInsecure),
			Help:  "true lets the HTTP listener be reached from other machines without TLS: behind a proxy that has it, in a container",
			check: func(v string) error { _, err := parseBool(v); return err },
			apply: func(c *Config, v string) (err error) { c.HTTPInsecure, err = parseBool(v); return err },
		},
		{
			Key: KeyHTTPHosts, Kind: KindNames, Env: envName(KeyHTTPHosts),
			Help:  "names besides its own by which the HTTP listener is called, separated by commas: waoutbox,wa.example.com",
			check: func(v string) error { _, err := parseHosts(v); return err },
			apply: func(c *Config, v string) (err error) { c.HTTPHosts, err = parseHosts(v); return err },
		},
		{
			// its path or query may hold a token
			Key: KeyAlertWebhook, Kind: KindURL, Env: envName(KeyAlertWebhook), Secret: true, show: alertShown,
			Help:  "an https URL, or an http one in a private network, that is told when an alarm rises and when it is over; unset is none",
			check: checkAlert,
			apply: func(c *Config, v string) error { c.AlertWebhook = v; return nil },
		},
		{
			Key: KeyLinkDownAfter, Kind: KindDuration, Default: "1m", Env: envName(KeyLinkDownAfter),
			Help:  "how long the link to WhatsApp may be down before that is an alarm, 10s to 24h",
			check: func(v string) error { _, err := parseDuration(v, MinLinkDown, MaxLinkDown); return err },
			apply: func(c *Config, v string) (err error) {
				c.LinkDownAfter, err = parseDuration(v, MinLinkDown, MaxLinkDown)
				return err
			},
		},
	}
}

// envName is a key's twin in the environment: whatsapp-url is WAOUTBOX_WHATSAPP_URL.
func envName(key string) string {
	return "WAOUTBOX_" + strings.ToUpper(strings.ReplaceAll(key, "-", "_"))
}

// find returns the setting of that key.
func find(key string) (Setting, bool) {
	for _, s := range Keys() {
		if s.Key == key {
			return s, true
		}
	}
	return Setting{}, false
}

// keyList names every key, for error sentences.
func keyList() string { return strings.Join(keyNames(), ", ") }

func keyNames() []string {
	var names []string
	for _, s := range Keys() {
		names = append(names, s.Key)
	}
	return names
}
