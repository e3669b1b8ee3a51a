package main

import (
	"cmp"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

func newGroupCmd(e *env) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "group",
		Short: "The groups the account is in, with their members",
	})
	cmd.AddCommand(newGroupListCmd(e), newGroupShowCmd(e))
	return cmd
}

func newGroupListCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the groups the account is in; --json has their members too",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.withService(cmd.Context(), modeSpawn, func(svc api.Service) error {
				groups, err := svc.Groups(cmd.Context(), api.ListGroups{})
				if err != nil {
					return err
				}
				e.showGroups(groups)
				return nil
			})
		},
	}
}

func (e *env) showGroups(groups []api.Group) {
	switch {
	case e.json:
		for _, g := range groups {
			e.printJSON(g)
		}
		return
	case len(groups) == 0:
		e.printf("The account is in no group.\n")
		e.next("waoutbox status")
		return
	}
	t := term.NewTable(term.Column{Name: "NAME"}, term.Column{Name: "MEMBERS", Right: true}, term.Column{Name: "ROLE"}, term.Column{Name: "JID"})
	for _, g := range groups {
		t.Row(cmp.Or(term.Clean(g.Name), "–"), term.Count(int64(len(g.Members))), term.Clean(g.Role), term.Clean(g.JID))
	}
	e.table(t, "")
	e.next("waoutbox group show %s", term.Quote(groups[0].JID))
}

func newGroupShowCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "show JID",
		Short: "Show a group and its members",
		Args:  arguments(1, 1, "the JID of a group"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.withService(cmd.Context(), modeSpawn, func(svc api.Service) error {
				groups, err := svc.Groups(cmd.Context(), api.ListGroups{JID: args[0]})
				if err != nil {
					return err
				}
				for _, g := range groups {
					e.showGroup(g)
				}
				return nil
			})
		},
	}
}

func (e *env) showGroup(g api.Group) {
	if e.json {
		e.printJSON(g)
		return
	}
	e.printf("%s  %s\n", cmp.Or(term.Clean(g.Name), "–"), term.Clean(g.JID))
	for _, line := range []struct {
		is   bool
		text string
	}{
		{g.Description != "", term.Clean(g.Description)},
		{g.IsCommunity, "a community"},
		{g.Community != "", "belongs to the community " + term.Clean(g.Community)},
		{g.Announce, "only admins write"},
		{g.Locked, "only admins change it"},
		{g.EphemeralSeconds > 0, "messages disappear"},
	} {
		if line.is {
			e.printf("  %s\n", line.text)
		}
	}
	t := term.NewTable(term.Column{Name: "MEMBER"}, term.Column{Name: "ROLE"}, term.Column{Name: "PHONE"}, term.Column{Name: "JID"})
	for _, m := range g.Members {
		name := cmp.Or(term.Clean(m.Name), "–")
		if m.Me {
			name = "this account"
		}
		t.Row(name, term.Clean(m.Role), cmp.Or(term.Clean(m.Phone), "–"), term.Clean(m.JID))
	}
	e.table(t, "")
	e.next("waoutbox send text %s TEXT", term.Quote(g.JID))
}
