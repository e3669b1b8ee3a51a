package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/listener"
	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// listenStart is the first line of `listen --json`: it listens.
type listenStart struct {
	Webhook string   `json:"webhook"`
	URL     string   `json:"url"`
	Events  []string `json:"events"`
}

// listenLine is one of the lines that follow.
type listenLine struct {
	ID       string          `json:"id"`
	Event    string          `json:"event"`
	Sequence string          `json:"sequence"`
	Attempt  string          `json:"attempt"`
	Valid    bool            `json:"valid"` // both signatures
	Reason   string          `json:"reason,omitempty"`
	Body     json.RawMessage `json:"body"`
}

func newListenCmd(e *env) *cobra.Command {
	var filter filterFlags
	status := http.StatusOK
	cmd := &cobra.Command{
		Use:   "listen [PORT]",
		Short: "Print what arrives, as a temporary webhook of this terminal",
		Long: `Listens on this machine, registers itself as a signed webhook, prints one line for each event that arrives, and checks
its signatures as a receiver would. The webhook is there as long as this runs: however it ends, it is removed, and so is what
waits for it. PORT is a free one unless it is given.

--status is what it returns instead of 200, to see what a receiver that fails gets.`,
		Example: `  waoutbox listen
  waoutbox listen 5678 --event message.received --json`,
		Args: arguments(0, 1, "at most a port"),
		RunE: func(cmd *cobra.Command, args []string) error {
			port := 0
			if len(args) == 1 {
				var err error
				if port, err = strconv.Atoi(args[0]); err != nil || port < 0 || port > 65535 {
					return usagef("%q is no port: give a number from 1 to 65535, or none for a free one", args[0])
				}
			}
			if status < 200 || status > 599 {
				return usagef("--status %d is no status: give one from 200 to 599", status)
			}
			in := api.PutWebhook{GenerateSecret: true}
			if err := filter.read(cmd.Flags(), &in); err != nil {
				return err
			}
			return e.listen(cmd.Context(), port, status, in)
		},
	}
	filter.add(cmd.Flags())
	cmd.Flags().IntVar(&status, "status", http.StatusOK, "answer with this status")
	return cmd
}

func (e *env) listen(ctx context.Context, port, status int, in api.PutWebhook) error {
	ln, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return fmt.Errorf("port %d cannot be listened at: %w. Give another one, or none for a free one", port, err)
	}
	defer ln.Close()
	b, err := e.connect(ctx, modeDaemon)
	if err != nil {
		return err
	}
	defer b.close() //nolint:errcheck // there is nothing in it that could be lost
	in.URL = "http://" + ln.Addr().String() + "/"
	l := listener.New(ln, status, func(d listener.Delivery) { e.showDelivery(d) })
	defer l.Close()
	err = b.daemon.Listen(ctx, in, func(res api.PutWebhookResult) error {
		l.Serve(res.Secret)
		if e.json {
			e.printJSON(listenStart{res.Webhook.ID, in.URL, res.Webhook.Events})
			return nil
		}
		e.note("Listening as %s at %s for %s. Ctrl-C ends it and removes the webhook. Try: %s", term.Clean(res.Webhook.ID), in.URL, listText(res.Webhook.Events),
			e.command("webhook test %s", term.Clean(res.Webhook.ID)))
		return nil
	})
	if ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
		return nil // interrupted, which is how it ends
	}
	return err
}

func (e *env) showDelivery(d listener.Delivery) {
	if e.json {
		line := listenLine{ID: d.ID, Event: d.Event, Sequence: d.Sequence, Attempt: d.Attempt, Valid: d.Fault == "", Reason: d.Fault, Body: d.Body}
		if !json.Valid(line.Body) {
			line.Body = nil
		}
		e.printJSON(line)
		return
	}
	valid := e.style.Green("signature valid")
	if d.Fault != "" {
		valid = e.style.Red("NOT VALID: " + term.Clean(d.Fault))
	}
	again := ""
	if d.Attempt != "1" {
		again = "  attempt " + term.Clean(d.Attempt)
	}
	e.printf("%s  %-17s  %s  %s%s\n", time.Now().In(e.loc).Format(time.TimeOnly), term.Clean(d.Event), eventDigest(d.Body), valid, again)
}
