package main

import (
	"fmt"
	"path/filepath"

	"waoutbox/cmd/internal/config"
	"waoutbox/cmd/internal/hosts"
	"waoutbox/store"
)

// hostPolicy is the policy for the hosts of webhooks, whose changes are kept in config.json.
func hostPolicy(stateDir string, cfg config.Config) *hosts.Policy {
	path := filepath.Join(stateDir, store.ConfigFile)
	return hosts.New(cfg.WebhookPolicy, cfg.WebhookHosts, func(change func(hosts.List) hosts.List) (hosts.List, string, error) {
		text, _, err := config.Get(path, config.KeyWebhookHosts)
		if err != nil {
			return nil, "", err
		}
		stored, err := hosts.Parse(text)
		if err != nil {
			return nil, "", fmt.Errorf("%s in %s: %w", config.KeyWebhookHosts, path, err)
		}
		if stored = change(stored); len(stored) > 0 {
			err = config.Set(path, config.KeyWebhookHosts, stored.String())
		} else {
			err = config.Unset(path, config.KeyWebhookHosts)
		}
		warning := ""
		if from := cfg.From(config.KeyWebhookHosts); from == config.SourceFlag || from == config.SourceEnv {
			warning = fmt.Sprintf("%s was given by the %s, which wins over config.json: from the next start on that counts again", config.KeyWebhookHosts,
				map[config.Source]string{config.SourceFlag: "command line of serve", config.SourceEnv: "environment of the service"}[from])
		}
		return stored, warning, err
	})
}
