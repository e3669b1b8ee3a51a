package main

import (
	"context"
	"strings"

	"waoutbox/cmd/internal/config"
	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// settingsGiven returns what a service was given beside its file, the values of secrets left out.
func settingsGiven(cfg config.Config) []api.GivenSetting {
	var given []api.GivenSetting
	for _, v := range cfg.Values() {
		if v.Source != config.SourceFlag && v.Source != config.SourceEnv || v.Setting.Secret && v.Text == "" {
			continue
		}
		g := api.GivenSetting{Key: v.Setting.Key, Source: string(v.Source)}
		if !v.Setting.Secret {
			g.Value = v.Text
		}
		given = append(given, g)
	}
	return given
}

// takeOverSettings adds to what this command was given the settings that the running daemon was
// started with, and returns those. What is given anew counts instead, and so does what config.json
// has: it may have been set since. A secret value that nobody gives anew is an error.
func (e *env) takeOverSettings(ctx context.Context) ([]api.GivenSetting, error) {
	b, err := e.connect(ctx, modeDaemon)
	if err != nil {
		return nil, nil // stopping tells what is wrong
	}
	d, err := b.daemon.Daemon(ctx)
	if cerr := b.close(); err != nil || cerr != nil {
		return nil, nil
	}
	given := map[string]api.GivenSetting{}
	for _, g := range d.Settings {
		given[g.Key] = g
	}
	var taken []api.GivenSetting
	for _, s := range config.Keys() {
		g, ok := given[s.Key]
		if _, flag := e.settings[s.Key]; !ok || flag || e.getenv(s.Env) != "" {
			continue
		}
		kept, inFile, err := config.Get(e.configPath(), s.Key)
		if err != nil {
			return nil, configError(err)
		}
		switch {
		case inFile:
			if !s.Secret && kept != g.Value {
				e.note("note: the service was started with %s=%s (%s); config.json has %s, which counts from now on", s.Key, term.Clean(g.Value), g.Source, kept)
			}
			continue
		case s.Secret:
			return nil, usagef("the service was started with %s, a secret that it does not tell, so that it would be lost: nothing was stopped. Keep it: %s (reads it from the standard input), or give it again in $%s",
				s.Key, e.command("config set %s -", s.Key), s.Env)
		case g.Source == string(config.SourceEnv):
			e.daemonEnv = append(e.daemonEnv, s.Env+"="+g.Value)
		default:
			e.settings[s.Key] = g.Value
		}
		taken = append(taken, g)
	}
	e.getenv = withVariables(e.getenv, e.daemonEnv)
	return taken, nil
}

// withVariables returns getenv with more variables: NAME=value.
func withVariables(getenv func(string) string, more []string) func(string) string {
	return func(name string) string {
		for _, pair := range more {
			if value, ok := strings.CutPrefix(pair, name+"="); ok {
				return value
			}
		}
		return getenv(name)
	}
}

// printTaken says which settings the daemon before has passed on, and how to keep them.
func (e *env) printTaken(taken []api.GivenSetting) {
	for _, g := range taken {
		value := term.Clean(g.Value)
		e.printf("Started with %s=%s again, as before (%s). To keep it: %s\n", g.Key, value, g.Source, e.command("config set %s %s", g.Key, term.Quote(value)))
	}
}
