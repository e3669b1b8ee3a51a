package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"waoutbox/connection/wasim"
)

// serve runs the simulator until ctx ends or the time given with --for is over.
func serve(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var people []func(*cast) error
	flags := flag.NewFlagSet("wasim", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	listen := flags.String("listen", "127.0.0.1:0", "")
	life := flags.Duration("for", 0, "")
	verbose := flags.Bool("verbose", false, "")
	add := func(parse func(string) (func(*cast) error, error)) func(string) error {
		return func(v string) error {
			step, err := parse(v)
			if err == nil {
				people = append(people, step)
			}
			return err
		}
	}
	flags.Func("account", "", add(parseAccount))
	flags.Func("contact", "", add(parseContact))
	flags.Func("group", "", add(parseGroup))
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("%w; %w", err, errUsage)
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; %w", flags.Arg(0), errUsage)
	}
	o := wasim.Options{}
	if *verbose {
		o.Log = slog.New(slog.NewTextHandler(stderr, nil))
	}
	s, err := wasim.New(o)
	if err != nil {
		return err
	}
	c := &cast{server: s}
	for _, step := range people {
		if err := step(c); err != nil {
			return err
		}
	}
	return runServer(ctx, s, *listen, *life, stdout)
}

func runServer(ctx context.Context, s *wasim.Server, listen string, life time.Duration, stdout io.Writer) error {
	if err := s.Listen(listen); err != nil {
		return err
	}
	enc := json.NewEncoder(stdout)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s.Info()); err != nil {
		return fmt.Errorf("print the addresses: %w", err)
	}
	var over <-chan time.Time
	if life > 0 {
		timer := time.NewTimer(life)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-ctx.Done():
	case <-over:
	}
	return s.Close()
}

// cast is who the arguments name, in their order.
type cast struct {
	server   *wasim.Server
	account  *wasim.Account // the last one named
	contacts map[string]*wasim.Contact
}

func parseAccount(v string) (func(*cast) error, error) {
	phone, name, _ := strings.Cut(v, ":")
	if strings.Trim(phone, "+0123456789") != "" || phone == "" {
		return nil, fmt.Errorf("%q is not PHONE or PHONE:NAME", v)
	}
	return func(c *cast) error {
		c.account, c.contacts = c.server.NewAccount(phone, name), make(map[string]*wasim.Contact)
		return nil
	}, nil
}

func parseContact(v string) (func(*cast) error, error) {
	name, phone, ok := strings.Cut(v, ":")
	if !ok || name == "" || phone == "" || strings.Trim(phone, "+0123456789") != "" {
		return nil, fmt.Errorf("%q is not NAME:PHONE", v)
	}
	return func(c *cast) error {
		if c.account == nil {
			return fmt.Errorf("--contact %s: name the --account before it; %w", v, errUsage)
		}
		c.contacts[name] = c.account.NewContact(name, phone)
		return nil
	}, nil
}

func parseGroup(v string) (func(*cast) error, error) {
	subject, names, _ := strings.Cut(v, ":")
	if subject == "" {
		return nil, fmt.Errorf("%q is not SUBJECT:NAME,NAME", v)
	}
	return func(c *cast) error {
		if c.account == nil {
			return fmt.Errorf("--group %s: name the --account before it; %w", v, errUsage)
		}
		var members []*wasim.Contact
		for _, name := range strings.Split(names, ",") {
			if name == "" {
				continue
			}
			m, ok := c.contacts[name]
			if !ok {
				return fmt.Errorf("--group %s: no --contact %q before it; %w", v, name, errUsage)
			}
			members = append(members, m)
		}
		c.account.NewGroup(subject, members...)
		return nil
	}, nil
}
