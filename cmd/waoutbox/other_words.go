package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// otherWords are what other programs call our commands: by the command that they are typed behind,
// the commands that are meant.
func otherWords() map[string]map[string][]string {
	reads := []string{"webhook show", "event show", "deadletter show"}
	lists := []string{"webhook list", "event list", "deadletter list"}
	return map[string]map[string][]string{
		"": {
			"run": {"serve"}, "init": {"serve"}, "setup": {"serve"}, "up": {"start"}, "down": {"stop"}, "kill": {"stop"}, "quit": {"stop"},
			"login": {"pair"}, "link": {"pair"}, "qr": {"pair"}, "scan": {"pair"}, "logout": {"unpair"}, "unlink": {"unpair"}, "log": {"logs"},
			"tail": {"event list --follow", "logs --follow"}, "watch": {"event list --follow", "status --watch"}, "show": reads, "get": reads, "list": lists, "ls": lists,
			"add": {"webhook add"}, "hook": {"webhook"}, "hooks": {"webhook"}, "message": {"send text"}, "messages": {"event list"}, "msg": {"send text"},
			"stat": {"status"}, "info": {"status"}, "ps": {"status"}, "check": {"status --check"}, "health": {"status --check"},
			"replay": {"deadletter replay", "event replay"}, "retry": {"deadletter replay"}, "resend": {"deadletter replay"}, "test": {"webhook test"},
			"settings": {"config list"}, "set": {"config set"}, "contacts": {"contact find"}, "groups": {"group list"}, "token": {"http-token"},
			"ui": {"open"}, "web": {"open"}, "page": {"open"}, "dashboard": {"open"}, "upgrade": {"restart"}, "update": {"restart"}, "download": {"media get"},
			"install": {"service install"}, "uninstall": {"service uninstall"}, "export": {"backup"}, "import": {"restore"},
		},
		"webhook": {
			"delete": {"webhook remove"}, "del": {"webhook remove"}, "unregister": {"webhook remove"}, "create": {"webhook add"}, "new": {"webhook add"}, "register": {"webhook add"},
			"update": {"webhook add"}, "edit": {"webhook add"}, "set": {"webhook add"}, "change": {"webhook add"}, "enable": {"webhook resume"}, "unpause": {"webhook resume"}, "start": {"webhook resume"},
			"disable": {"webhook pause"}, "stop": {"webhook pause"}, "get": {"webhook show"}, "info": {"webhook show"}, "ping": {"webhook test"}, "try": {"webhook test"}, "deny": {"webhook disallow"},
		},
		"deadletter": {
			"retry": {"deadletter replay"}, "resend": {"deadletter replay"}, "requeue": {"deadletter replay"}, "redrive": {"deadletter replay"}, "delete": {"deadletter purge"}, "remove": {"deadletter purge"},
			"rm": {"deadletter purge"}, "clear": {"deadletter purge"}, "discard": {"deadletter purge"}, "get": {"deadletter show"}, "info": {"deadletter show"},
		},
		"event": {
			"tail": {"event list --follow"}, "follow": {"event list --follow"}, "watch": {"event list --follow"}, "get": {"event show"}, "info": {"event show"}, "resend": {"event replay"}, "retry": {"event replay"},
		},
		"send": {
			"message": {"send text"}, "msg": {"send text"}, "image": {"send media"}, "photo": {"send media"}, "picture": {"send media"}, "video": {"send media"}, "document": {"send media"}, "file": {"send media"},
			"audio": {"send media"}, "voice": {"send media"}, "sticker": {"send media"}, "react": {"send reaction"}, "emoji": {"send reaction"}, "vcard": {"send contact"}, "revoke": {"send delete"}, "seen": {"send read"},
		},
		"config":     {"show": {"config list"}, "ls": {"config list"}, "edit": {"config set"}, "add": {"config set"}, "delete": {"config unset"}, "remove": {"config unset"}, "reset": {"config unset"}},
		"http-token": {"show": {"http-token"}, "get": {"http-token"}, "new": {"http-token rotate"}},
		"mcp":        {"install": {"mcp config"}, "start": {"mcp"}, "serve": {"mcp"}, "run": {"mcp"}, "add": {"mcp config"}},
		"service":    {"start": {"start"}, "stop": {"stop"}, "restart": {"restart"}, "remove": {"service uninstall"}, "delete": {"service uninstall"}},
		"group":      {"info": {"group show"}, "members": {"group show"}, "get": {"group show"}},
		"contact":    {"search": {"contact find"}, "list": {"contact find"}, "show": {"contact find"}},
		"media":      {"download": {"media get"}, "save": {"media get"}, "fetch": {"media get"}, "show": {"media get"}},
	}
}

// meantBy returns the command lines that somebody may have meant by a word that no subcommand of
// cmd has, nil where that is not known.
func meantBy(cmd *cobra.Command, typed string) []string {
	path := strings.TrimPrefix(strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()), " ")
	if typed == "help" {
		return []string{strings.TrimPrefix(path+" --help", " ")}
	}
	if path == "send" && strings.Trim(typed, "+0123456789") == "" {
		return []string{"send text"}
	}
	return otherWords()[path][strings.ToLower(typed)]
}

// otherFlags are what other programs call our flags.
func otherFlags() map[string]string {
	return map[string]string{
		"number": "phone", "count": "limit", "tail": "lines", "max": "limit", "dry": "dry-run", "force": "yes", "confirm": "yes", "name": "event", "type": "event", "webhook": "url",
		"id": "url", "to": "phone", "dir": "state-dir", "state": "state-dir", "output": "json", "format": "json", "retries": "schedule", "rate": "max-rate", "from": "since", "after": "since", "before": "until",
	}
}
