package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"waoutbox/connection/wasim"
)

// serve runs the simulator until ctx ends or the time given with --for is over.
func serve(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var additions []func(*addedAccounts) error
	flags := flag.NewFlagSet("wasim", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	listen := flags.String("listen", "127.0.0.1:0", "")
	life := flags.Duration("for", 0, "")
	verbose := flags.Bool("verbose", false, "")
	state := flags.String("state", "", "")
	add := func(parse func(string) (func(*addedAccounts) error, error)) func(string) error {
		return func(v string) error {
			step, err := parse(v)
			if err == nil {
				additions = append(additions, step)
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
	file := stateFile(*state)
	s, err := file.open(o, stderr)
	if err != nil {
		return err
	}
	c := &addedAccounts{server: s}
	for _, step := range additions {
		if err := step(c); err != nil {
			return err
		}
	}
	if *life > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, *life)
		defer cancel()
	}
	return runServer(ctx, s, *listen, file, stdout, stderr)
}

// runServer listens and prints the addresses; it returns when ctx ends.
func runServer(ctx context.Context, s *wasim.Server, listen string, file stateFile, stdout, stderr io.Writer) error {
	if err := s.Listen(listen); err != nil {
		return err
	}
	if err := file.begin(s); err != nil {
		return errors.Join(err, s.Close())
	}
	enc := json.NewEncoder(stdout)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s.Info()); err != nil {
		return errors.Join(fmt.Errorf("print the addresses: %w", err), s.Close())
	}
	var keeping sync.WaitGroup
	keeping.Go(func() { file.keep(ctx, s, stderr) })
	<-ctx.Done()
	keeping.Wait()
	if err := s.Close(); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	return file.end(s)
}

// addedAccounts is who the arguments name, in their order.
type addedAccounts struct {
	server   *wasim.Server
	account  *wasim.Account // the last one named
	contacts map[string]*wasim.Contact
}

// choose makes an account, or takes the one that a loaded state has.
func (c *addedAccounts) choose(phone, name string) {
	c.contacts = make(map[string]*wasim.Contact)
	for _, a := range c.server.Accounts() {
		if a.PN() == strings.TrimPrefix(phone, "+")+"@s.whatsapp.net" {
			c.account = a
			for _, known := range a.Contacts() {
				c.contacts[known.Name()] = known
			}
			return
		}
	}
	c.account = c.server.NewAccount(phone, name)
}

func parseAccount(v string) (func(*addedAccounts) error, error) {
	phone, name, _ := strings.Cut(v, ":")
	if strings.Trim(phone, "+0123456789") != "" || phone == "" {
		return nil, fmt.Errorf("%q is not PHONE or PHONE:NAME", v)
	}
	return func(c *addedAccounts) error {
		c.choose(phone, name)
		return nil
	}, nil
}

func parseContact(v string) (func(*addedAccounts) error, error) {
	name, phone, ok := strings.Cut(v, ":")
	if !ok || name == "" || phone == "" || strings.Trim(phone, "+0123456789") != "" {
		return nil, fmt.Errorf("%q is not NAME:PHONE", v)
	}
	return func(c *addedAccounts) error {
		if c.account == nil {
			return fmt.Errorf("--contact %s: name the --account before it; %w", v, errUsage)
		}
		if _, known := c.contacts[name]; !known {
			c.contacts[name] = c.account.NewContact(name, phone)
		}
		return nil
	}, nil
}

func parseGroup(v string) (func(*addedAccounts) error, error) {
	subject, names, _ := strings.Cut(v, ":")
	if subject == "" {
		return nil, fmt.Errorf("%q is not SUBJECT:NAME,NAME", v)
	}
	return func(c *addedAccounts) error {
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
		if !slices.ContainsFunc(c.account.Groups(), func(g *wasim.Group) bool { return g.Subject() == subject }) {
			c.account.NewGroup(subject, members...)
		}
		return nil
	}, nil
}
