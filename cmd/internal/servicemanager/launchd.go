package servicemanager

import (
	"context"
	"encoding/xml"
	"path/filepath"
	"strconv"
	"strings"
)

// launchd runs the service as an agent of the user, or as a daemon when root installs it.
type launchd struct{ Service }

func (l launchd) name() string { return l.shortName() }

// file is where the library writes it.
func (l launchd) file() string {
	if l.UID == 0 {
		return filepath.Join("/Library/LaunchDaemons", l.name()+".plist")
	}
	return filepath.Join(l.Getenv("HOME"), "Library", "LaunchAgents", l.name()+".plist")
}

func (l launchd) text() string {
	word := func(s string) string {
		var b strings.Builder
		_ = xml.EscapeText(&b, []byte(s)) // a Builder does not fail
		return "<string>" + b.String() + "</string>"
	}
	return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>Label</key>` + word(l.name()) + `
	<key>ProgramArguments</key>
	<array>
		` + word(l.Executable) + `
		<string>--state-dir</string>
		` + word(l.StateDir) + `
		<string>serve</string>
	</array>
	<key>RunAtLoad</key><true/>
	<key>KeepAlive</key><dict><key>SuccessfulExit</key><false/></dict>
	<key>ProcessType</key><string>Background</string>
	<key>Umask</key><integer>63</integer>
	<key>StandardErrorPath</key>` + word(filepath.Join(l.StateDir, "serve.log")) + `
</dict>
</plist>
`
}

func (l launchd) domain() string {
	if l.UID == 0 {
		return "system"
	}
	return "gui/" + strconv.Itoa(l.UID)
}

func (l launchd) definition() definition {
	return definition{system: libraryLaunchd, name: l.name(), user: l.UID != 0, text: l.text()}
}

// enable looks whether there is a session to run it in: over SSH there may be none.
func (l launchd) enable(ctx context.Context) error {
	if _, err := l.run(ctx, "launchctl", "print", l.domain()); err != nil {
		return err
	}
	return l.with(l.definition(), registrar.Install)
}

// launch loads the file anew. Loaded, the service starts.
func (l launchd) launch(context.Context) error {
	return l.with(l.definition(), func(r registrar) error {
		_ = r.Stop() // it may not be loaded
		return r.Start()
	})
}

func (l launchd) uninstall(ctx context.Context) error {
	var st Status
	if err := l.status(ctx, &st); err != nil {
		return err
	}
	return l.takeOut(l.definition(), st.Running)
}

// start loads the file anew too: one that ended by itself is still loaded.
func (l launchd) start(ctx context.Context) error {
	var st Status
	if err := l.status(ctx, &st); err != nil || st.Running {
		return err
	}
	return l.launch(ctx)
}

func (l launchd) status(ctx context.Context, st *Status) error {
	_, rest, _ := strings.Cut(executableIn(st.File, "<array>", "<string>--state-dir"), "<string>")
	st.Executable, _, _ = strings.Cut(rest, "</string>")
	out, err := l.run(ctx, "launchctl", "print", l.domain()+"/"+l.name())
	st.Enabled = err == nil
	st.Running = strings.Contains(out, "state = running")
	return nil
}
