package main

import (
	"html/template"
	"net/url"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"waoutbox/outbox/api"
	"waoutbox/store"
)

// pageFile is the file by which a browser is told of the link: the arguments of a process can be
// read by every user of the machine, and this file by its owner alone.
const pageFile = "page.html"

func newOpenCmd(e *env) *cobra.Command {
	onlyPrint := false
	cmd := &cobra.Command{
		Use:   "open",
		Short: "Open the page that shows all of it in a browser",
		Long: `Asks the service for a link to its page and opens it in the browser of this machine, where there is one. The
link works once and for a few minutes; what it opens is a session that ends with the service, after 12 hours,
or by its button. The page is served on 127.0.0.1, by the HTTP listener where that runs (waoutbox serve --http).`,
		Example: `  waoutbox open
  waoutbox open --print                                 the link alone, to paste somewhere`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := e.connect(cmd.Context(), modeDaemon)
			if err != nil {
				return err
			}
			link, err := b.daemon.OpenPage(cmd.Context())
			_ = b.close()
			if err != nil {
				return err
			}
			return e.showPage(link, onlyPrint)
		},
	}
	cmd.Flags().BoolVar(&onlyPrint, "print", false, "only print the link")
	return cmd
}

// showPage tells the person of the link, and the browser where there is one.
func (e *env) showPage(link api.PageLink, onlyPrint bool) error {
	if e.json {
		e.printJSON(link)
		return nil
	}
	opened := !onlyPrint && e.interactive && e.hasDisplay() && e.tellBrowser(link)
	e.printf("%s\n", link.URL)
	if onlyPrint && !e.stdoutTerminal() {
		return nil
	}
	if opened {
		e.printf("Opened in the browser. ")
	}
	e.printf("The link works once, until %s.\n", e.clock(link.ExpiresAt))
	if u, err := url.Parse(link.URL); err == nil && !opened && e.getenv("SSH_CONNECTION") != "" {
		e.printf("From the machine you came from: ssh -L %s:127.0.0.1:%s …, then open the link there.\n", u.Port(), u.Port())
	}
	e.next("waoutbox status")
	return nil
}

// hasDisplay reports whether a browser of this machine would be seen.
func (e *env) hasDisplay() bool {
	switch runtime.GOOS {
	case "windows", "darwin":
		return e.getenv("SSH_CONNECTION") == ""
	}
	return e.getenv("DISPLAY") != "" || e.getenv("WAYLAND_DISPLAY") != ""
}

// tellBrowser opens the link in the browser of this machine and reports whether one was started.
func (e *env) tellBrowser(link api.PageLink) bool {
	path := filepath.Join(e.stateDir, pageFile)
	if store.WriteFile(path, []byte(pageRedirect(link.URL))) != nil {
		return false
	}
	command := []string{"xdg-open"}
	switch runtime.GOOS {
	case "darwin":
		command = []string{"open"}
	case "windows":
		command = []string{"rundll32", "url.dll,FileProtocolHandler"}
	}
	cmd := exec.Command(command[0], append(command[1:], path)...) //nolint:gosec,noctx // it outlives this command, and the path is our own
	if cmd.Start() != nil {
		return false
	}
	started := make(chan error, 1)
	go func() { started <- cmd.Wait() }()
	select { // the helpers end at once; one that does not has a browser
	case err := <-started:
		return err == nil
	case <-time.After(2 * time.Second):
		return true
	}
}

// pageRedirect is a page that leads to a link.
func pageRedirect(link string) string {
	var b strings.Builder
	b.WriteString(`<!doctype html><meta charset="utf-8"><title>waoutbox</title><meta http-equiv="refresh" content="0; url=`)
	template.HTMLEscape(&b, []byte(link))
	b.WriteString(`"><a href="`)
	template.HTMLEscape(&b, []byte(link))
	b.WriteString(`">Go on to waoutbox</a>` + "\n")
	return b.String()
}
