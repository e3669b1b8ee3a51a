package main

import (
	"cmp"
	"fmt"
	"path/filepath"

	"waoutbox/cmd/internal/config"
	"waoutbox/cmd/internal/hosts"
	"waoutbox/outbox/api"
	"waoutbox/store"
)

// hostPolicy is the policy for the hosts of webhooks, whose changes are kept in config.json.
func hostPolicy(stateDir string, cfg config.Config) *hosts.Policy {
	path := filepath.Join(stateDir, store.ConfigFile)
	stored := func() (hosts.List, error) {
		text, _, err := config.Get(path, config.KeyWebhookHosts)
		if err != nil {
			return nil, err
		}
		list, err := hosts.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s in %s: %w", config.KeyWebhookHosts, path, err)
		}
		return list, nil
	}
	p := hosts.New(cfg.WebhookPolicy, cfg.WebhookHosts, func(change func(hosts.List) hosts.List) (hosts.List, string, error) {
		list, err := stored()
		if err != nil {
			return nil, "", err
		}
		if list = change(list); len(list) > 0 {
			err = config.Set(path, config.KeyWebhookHosts, list.String())
		} else {
			err = config.Unset(path, config.KeyWebhookHosts)
		}
		return list, overruled(cfg, config.KeyWebhookHosts), err
	})
	return p.Reading(func() (mode string, list hosts.List, warning string, err error) {
		mode, list = cfg.WebhookPolicy, cfg.WebhookHosts
		if warning = overruled(cfg, config.KeyWebhookPolicy); warning == "" {
			if mode, _, err = config.Get(path, config.KeyWebhookPolicy); err != nil {
				return "", nil, "", err
			}
			mode = cmp.Or(mode, api.PolicyAsk)
		}
		other := overruled(cfg, config.KeyWebhookHosts)
		if other == "" {
			list, err = stored()
		}
		return mode, list, cmp.Or(warning, other), err
	})
}

// overruled says where a setting comes from that is not taken from config.json, "" when it is.
func overruled(cfg config.Config, key string) string {
	where := map[config.Source]string{config.SourceFlag: "command line of serve", config.SourceEnv: "environment of the service"}[cfg.From(key)]
	if where == "" {
		return ""
	}
	return fmt.Sprintf("%s was given by the %s, which wins over config.json: from the next start on that counts again", key, where)
}
