package main

import (
	"cmp"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/config"
	"waoutbox/cmd/internal/explain"
	"waoutbox/cmd/internal/term"
	"waoutbox/store"
)

// configLine is one line of `config list --json`, and `config get --json`. A secret's value is
// never in it.
type configLine struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Source string `json:"source"`
	// of a change: what is still in its way
	Warnings []string `json:"warnings,omitempty"`
}

func newConfigCmd(e *env) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "config",
		Short: "Read and change the settings in config.json",
		Long: `The settings of the service. A flag wins over the environment (WAOUTBOX_…), the environment
over config.json in the state directory, and that over the default. A running service uses
what it read when it started.`,
	})
	cmd.AddCommand(newConfigListCmd(e), newConfigGetCmd(e), newConfigSetCmd(e), newConfigUnsetCmd(e))
	return cmd
}

func (e *env) configPath() string { return filepath.Join(e.stateDir, store.ConfigFile) }

// config returns the settings in force: flags of this command over environment over file over
// defaults.
func (e *env) config() (config.Config, error) {
	if err := e.checkStateDir(); err != nil {
		return config.Config{}, err
	}
	c, err := config.Load(e.configPath(), e.settings, e.getenv)
	return c, configError(err)
}

// checkStateDir refuses a directory that others can write, or that is none, before anything in it
// is believed; one that is not there yet is fine. A restore that was cut off is finished first.
func (e *env) checkStateDir() error {
	err := store.CheckDir(e.stateDir)
	if errors.Is(err, store.Writable) { // by a group, as a volume is given: taken away, or refused
		store.Tighten(e.stateDir)
		err = store.CheckDir(e.stateDir)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return explain.State(err)
	}
	return e.finishRestore()
}

// configError makes a setting that was given wrongly a usage error.
func configError(err error) error {
	if err != nil && config.IsUsage(err) {
		return usageError(err)
	}
	return err
}

func newConfigListCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "Print every setting, its value and where it comes from",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			c, err := e.config()
			if err != nil {
				return err
			}
			if e.json {
				for _, v := range c.Values() {
					e.printJSON(configLine{Key: v.Setting.Key, Value: v.Shown, Source: string(v.Source)})
				}
				return nil
			}
			t := term.NewTable(term.Column{Name: "SETTING"}, term.Column{Name: "VALUE", Shrink: 10}, term.Column{Name: "FROM"}, term.Column{Name: "MEANING", Shrink: 16, Prose: true})
			for _, v := range c.Values() {
				shown := v.Shown
				if shown == "" {
					shown = term.None
				}
				t.Row(v.Setting.Key, term.Clean(shown), string(v.Source), v.Setting.Help)
			}
			e.table(t, "")
			e.next("waoutbox config set SETTING VALUE")
			return nil
		},
	}
}

func newConfigGetCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "get SETTING",
		Short: "Print the value of a setting that is in force",
		Args:  arguments(1, 1, "the name of one setting"),

		ValidArgsFunction: completeSettings,
		RunE: func(_ *cobra.Command, args []string) error {
			if _, _, err := config.Get(e.configPath(), args[0]); err != nil {
				return configError(err)
			}
			c, err := e.config()
			if err != nil {
				return err
			}
			for _, v := range c.Values() {
				if v.Setting.Key != args[0] {
					continue
				}
				if e.json {
					e.printJSON(configLine{Key: v.Setting.Key, Value: v.Shown, Source: string(v.Source)})
				} else {
					e.printf("%s\n", v.Shown)
				}
			}
			return nil
		},
	}
}

func newConfigSetCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "set SETTING VALUE",
		Short: "Change a setting in config.json",
		Long: `Writes a setting to config.json. A VALUE of - is read from stdin: for one that holds a password. The
credentials of whatsapp-proxy are sealed with the key of this state, and never shown.`,
		Example: "  waoutbox config set max-in-flight 64\n  waoutbox config set whatsapp-proxy - <proxy.txt",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				if key, value, ok := strings.Cut(args[0], "="); ok && !config.Secret(key) {
					return usagef("the value is a word of its own: %s", e.command("config set %s %s", term.Quote(key), term.Quote(value)))
				}
			}
			return arguments(2, 2, "the name of a setting and its value")(cmd, args)
		},

		ValidArgsFunction: completeSettings,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := e.checkStateDir(); err != nil {
				return err
			}
			value, err := e.valueToSet(args[0], args[1])
			if err != nil {
				return err
			}
			live, err := e.changeSetting(cmd.Context(), args[0], value, false)
			if err != nil {
				return configError(err)
			}
			return e.configChanged(args[0], live)
		},
	}
}

// valueToSet is a value as it is written to the file.
func (e *env) valueToSet(key, value string) (string, error) {
	if value == "-" {
		read, err := e.secretFromStdin()
		if err != nil {
			return "", err
		}
		value = *read
	}
	if key != config.KeyWhatsAppProxy || !config.HasProxyCredentials(value) {
		return value, nil
	}
	k, err := store.OpenKey(filepath.Join(e.stateDir, store.KeyFile), true)
	if errors.Is(err, store.KeyMissing) { // before the first start, which seals them
		return value, nil
	}
	if err != nil {
		return "", explain.State(err)
	}
	return config.SealProxy(value, k.Seal)
}

func newConfigUnsetCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "unset SETTING",
		Short: "Remove a setting from config.json, so that its default holds",
		Args:  arguments(1, 1, "the name of one setting"),

		ValidArgsFunction: completeSettings,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := e.checkStateDir(); err != nil {
				return err
			}
			live, err := e.changeSetting(cmd.Context(), args[0], "", true)
			if err != nil {
				return configError(err)
			}
			if !isSetting(args[0]) {
				if e.json {
					e.printJSON(configLine{Key: args[0], Source: string(config.SourceDefault)})
					return nil
				}
				e.printf("Removed %s from %s.\n", term.Clean(args[0]), e.home(e.configPath()))
				e.next("waoutbox config list")
				return nil
			}
			return e.configChanged(args[0], live)
		},
	}
}

func isSetting(key string) bool {
	return slices.ContainsFunc(config.Keys(), func(s config.Setting) bool { return s.Key == key })
}

// configChanged tells what holds now, and what is still missing. live is what changeSetting
// returned.
func (e *env) configChanged(key string, live bool) error {
	hint, err := config.Hint(e.configPath())
	if err != nil {
		return configError(err)
	}
	if hint != "" {
		value, ok, err := config.Get(e.configPath(), key)
		if err != nil {
			return configError(err)
		}
		line := fileLine(key, value, ok)
		if e.json {
			line.Warnings = append(e.remarks, hint)
			e.printJSON(line)
			return nil
		}
		e.printf("%s = %s  (%s)\n", key, term.Clean(cmp.Or(line.Value, "unset")), line.Source)
		e.note("note: %s", hint)
		return e.nextPartner()
	}
	c, err := e.config()
	if err != nil {
		return err
	}
	mend, unfit := unfitListener(c, key)
	if unfit != nil { // the settings may be set one after the other
		e.note("note: as it stands, the service does not start: %s.", unfit)
	}
	for _, v := range c.Values() {
		if v.Setting.Key != key {
			continue
		}
		shown := v.Shown
		if shown == "" {
			shown = "unset"
		}
		if !e.json {
			e.printf("%s = %s  (%s)\n", key, term.Clean(shown), v.Source)
		}
		if v.Source == config.SourceEnv {
			e.note("note: %s is set in the environment and wins over config.json.", v.Setting.Env)
		}
		if e.json {
			e.printJSON(configLine{key, v.Shown, string(v.Source), e.remarks})
			return nil
		}
	}
	if unfit != nil {
		e.next("%s", mend)
		return nil
	}
	if live { // also for a service that runs
		e.next("waoutbox webhook allow")
		return nil
	}
	if errors.Is(e.checkExists(), store.Missing) {
		e.next("waoutbox start")
		return nil
	}
	e.next("waoutbox restart   (a running service takes it at its next start)")
	return nil
}

// nextPartner names the command that sets the one of two settings that is missing.
func (e *env) nextPartner() error {
	_, hasURL, err := config.Get(e.configPath(), config.KeyWhatsAppURL)
	if err != nil {
		return configError(err)
	}
	if hasURL {
		e.next("waoutbox config set %s HEX", config.KeyWhatsAppRootKey)
		return nil
	}
	e.next("waoutbox config set %s ws://127.0.0.1:PORT/ws/chat", config.KeyWhatsAppURL)
	return nil
}

func fileLine(key, value string, ok bool) configLine {
	line := configLine{Key: key, Value: value, Source: string(config.SourceFile)}
	if !ok {
		line.Source = string(config.SourceDefault)
	}
	for _, s := range config.Keys() {
		if s.Key == key && s.Secret && value != "" {
			line.Value = "(set)"
		}
	}
	return line
}

// addSettingFlags gives cmd a flag for every setting.
func addSettingFlags(cmd *cobra.Command) {
	for _, s := range config.Keys() {
		usage := s.Help + " [$" + s.Env + "]"
		if s.Kind == config.KindBool {
			cmd.Flags().Var(new(switchValue), s.Key, usage)
			cmd.Flags().Lookup(s.Key).NoOptDefVal = "true"
			continue
		}
		cmd.Flags().String(s.Key, "", usage)
	}
}

// switchValue is what was given for a setting that is on or off, whatever it is: config reads it.
// The help shows it as every flag that needs no value.
type switchValue string

func (v *switchValue) Set(text string) error { *v = switchValue(text); return nil }
func (v *switchValue) String() string        { return string(*v) }
func (v *switchValue) Type() string          { return "bool" }

// givenSettings returns the settings that were given as flags.
func givenSettings(cmd *cobra.Command) map[string]string {
	given := map[string]string{}
	for _, s := range config.Keys() {
		if f := cmd.Flags().Lookup(s.Key); f != nil && f.Changed {
			given[s.Key] = f.Value.String()
		}
	}
	return given
}

// settingArgs renders the settings that were given as arguments of serve.
func (e *env) settingArgs() []string {
	var args []string
	for _, s := range config.Keys() {
		if v, ok := e.settings[s.Key]; ok {
			args = append(args, "--"+s.Key+"="+v)
		}
	}
	return args
}
