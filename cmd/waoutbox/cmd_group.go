package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

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
			return e.withService(cmd.Context(), modeSpawnExisting, func(svc api.Service) error {
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
	t := term.NewTable(term.Column{Name: "NAME", Shrink: 10}, term.Column{Name: "MEMBERS", Right: true}, term.Column{Name: "ROLE"}, term.Column{Name: "JID"})
	for _, g := range groups {
		t.Row(cmp.Or(term.Clean(g.Name), "–"), term.Count(int64(len(g.Members))), term.Clean(g.Role), term.Clean(g.JID))
	}
	e.table(t, "")
	e.next("waoutbox group show %s", term.Quote(groups[0].JID))
}

func newGroupShowCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME|JID",
		Short: "Show a group and its members",
		Long:  "Shows a group and its members. A part of its name will do, as for contact find, where no other group has it.",
		Example: `  waoutbox group show family
  waoutbox group show 120363025846172094@g.us`,
		Args: arguments(1, 1, "the name or JID of a group"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.withService(cmd.Context(), modeSpawnExisting, func(svc api.Service) error {
				jid, err := groupNamed(cmd.Context(), svc, args[0])
				if err != nil {
					return err
				}
				groups, err := svc.Groups(cmd.Context(), api.ListGroups{JID: jid})
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

// mostMatches is how many groups an error names.
const mostMatches = 10

// groupNamed returns the JID of the group that is meant by a JID or a part of a name; of several it
// is the one that is named so in full.
func groupNamed(ctx context.Context, svc api.Service, name string) (string, error) {
	if strings.Contains(name, "@") {
		return name, nil
	}
	found, err := svc.FindRecipients(ctx, api.FindRecipients{Query: name, Limit: 100})
	if err != nil {
		return "", err
	}
	var groups, same []api.Recipient
	for _, r := range found.Items {
		if r.Kind == api.RecipientGroup {
			groups = append(groups, r)
			if strings.EqualFold(r.Name, strings.TrimSpace(name)) {
				same = append(same, r)
			}
		}
	}
	if len(same) > 0 {
		groups = same
	}
	switch len(groups) {
	case 0:
		return "", api.Errorf(api.CodeNotFound, "the account is in no group with %q in its name. Those it is in: waoutbox group list", name)
	case 1:
		return groups[0].JID, nil
	}
	var list []string
	for _, g := range groups[:min(mostMatches, len(groups))] {
		list = append(list, fmt.Sprintf("%s (%s)", term.Clean(g.Name), g.JID))
	}
	more := ""
	if left := len(groups) - len(list); left > 0 {
		more = fmt.Sprintf(" and %d more", left)
	}
	return "", api.Errorf(api.CodeInvalidArguments, "%d groups have %q in their name: %s%s. Give the JID of the one that is meant", len(groups), name, strings.Join(list, ", "), more)
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
	t := term.NewTable(term.Column{Name: "MEMBER", Shrink: 10}, term.Column{Name: "ROLE"}, term.Column{Name: "PHONE"}, term.Column{Name: "JID"})
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
