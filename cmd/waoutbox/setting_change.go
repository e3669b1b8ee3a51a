package main

import (
	"cmp"
	"context"
	"os"

	"waoutbox/cmd/internal/config"
	"waoutbox/cmd/internal/explain"
	"waoutbox/outbox/api"
	"waoutbox/store"
)

// changeSetting writes a setting, or with unset removes it, and has that recorded before and after:
// by the service that runs, or else by this process. One that is part of the policy for hosts is
// taken over at once by whoever has it in force: live reports whether it holds now.
//
// Before there is a state there is no audit trail. Where one cannot be reached or written, the
// setting is changed all the same, for it may be what mends that, and a warning says that it is not
// on record.
func (e *env) changeSetting(ctx context.Context, key, value string, unset bool) (live bool, err error) {
	write := func() error {
		if unset {
			return config.Unset(e.configPath(), key)
		}
		return config.Set(e.configPath(), key, value)
	}
	was, is, err := config.Change(e.configPath(), key, value, unset)
	if err != nil {
		return false, err
	}
	svc, done, closed := e.auditTrail(ctx)
	if svc == nil {
		none := e.checkNamed() // which may be wanted, or mistyped
		if _, noFile := os.Lstat(e.configPath()); unset && noFile != nil && none != nil {
			return false, none
		}
		if err = write(); err == nil && none != nil && !unset {
			e.note("note: there is no state in %s yet: the setting is for its first start.", e.home(e.stateDir))
		}
		if err == nil && closed != nil && was != is {
			e.unrecorded(closed.Error())
		}
		return false, err
	}
	defer done()
	in := api.RecordSetting{Key: key, Unset: unset, Result: settingResult(was, is)}
	var begun api.RecordedSetting
	if was != is || config.Secret(key) { // of a secret one, both may be shown alike
		if begun, err = svc.RecordSetting(ctx, in); err != nil && ctx.Err() != nil {
			return false, err // nothing was changed
		}
		if why := cmp.Or(errorText(err), begun.Unwritten); why != "" {
			e.unrecorded(why)
		}
	}
	warning := ""
	if err = write(); err == nil && (key == config.KeyWebhookPolicy || key == config.KeyWebhookHosts) {
		policy, reread := svc.AllowHost(ctx, api.AllowHost{Reread: true})
		e.warn(policy.Warnings)
		if live = reread == nil; !live {
			warning = "it holds from the next start on: " + reread.Error()
		}
	}
	if begun.Record != "" {
		end := api.RecordSetting{Record: begun.Record, Failure: errorText(err), Warning: warning}
		if _, failed := svc.RecordSetting(context.WithoutCancel(ctx), end); failed != nil {
			e.warn([]string{"the audit trail says that this change was begun, and not that it was made: " + failed.Error()})
		}
	}
	return live, err
}

// configOrDefaults returns the settings in force, for what needs the state and none of them in
// particular; those of an empty file where they are wrong.
func (e *env) configOrDefaults() (config.Config, error) {
	if cfg, err := e.config(); err == nil {
		return cfg, nil
	}
	return config.Defaults()
}

// settingResult says in a record what a setting says now and said before.
func settingResult(was, is string) string {
	result := cmp.Or(is, "unset")
	if was != "" {
		result += ", was " + was
	}
	return result
}

// unrecorded warns that a change is on record nowhere.
func (e *env) unrecorded(why string) {
	e.warn([]string{"this is not in the audit trail: " + why})
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// auditTrail opens the service that has the audit trail: nil where there is no state yet, or, with
// an error, where it cannot be opened. Settings that are wrong do not keep it closed.
func (e *env) auditTrail(ctx context.Context) (svc api.Service, done func(), err error) {
	_, owned, _ := store.ReadOwner(e.stateDir)
	if store.CheckOutbox(e.stateDir) != nil && !owned {
		return nil, nil, nil
	}
	b, err := e.connect(ctx, modeDaemon)
	if err != nil && !e.nobodyOwns() {
		return nil, nil, err
	}
	if err != nil {
		cfg, err := e.configOrDefaults()
		if err != nil {
			return nil, nil, err
		}
		svc, closeFn, err := openOffline(ctx, e.stateDir, cfg, e.warningsLog())
		if err != nil {
			return nil, nil, explain.State(err)
		}
		b = backend{Service: svc, close: closeFn}
	}
	return b.Service, func() {
		if err := b.close(); err != nil {
			e.warn([]string{err.Error()})
		}
	}, nil
}
