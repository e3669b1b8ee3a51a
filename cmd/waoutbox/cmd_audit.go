package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

func newAuditCmd(e *env) *cobra.Command {
	var since string
	var limit int
	var verify bool
	var known []string
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "See who changed what: people, agents and programs",
		Long: `Lists what was changed and by whom, oldest first: webhooks, dead letters, replays, the link, allowed
hosts, settings, messages sent (to whom, never what), and what was asked for and refused. Secrets and the
text of messages are never in it. What is begun was about to be done when the process ended. It is kept
for a year, at most the newest 10,000 changes, 10,000 sends, 2,000 refusals and 2,000 marks as read and the like. With --json all that is kept, or the newest --limit of it.

--verify checks that nothing else has changed it: the records form a chain of hashes, each kind its own,
and the end of each is sealed with the key of the state, which an edited database does not have. It prints the newest links; keep them elsewhere, and --known LINK tells later whether what they stand
for is still there.`,
		Example: `  waoutbox audit --since 24h
  waoutbox audit --json | jq 'select(.caller=="mcp")'`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if verify || len(known) > 0 {
				return e.withService(cmd.Context(), modeState, func(svc api.Service) error {
					return e.verifyAudit(cmd.Context(), svc, known)
				})
			}
			if limit < 1 {
				return usagef("--limit %d: give how many of the newest records are listed, like 50", limit)
			}
			from, _, err := parseSpan(since, "", time.Now(), e.loc)
			if err != nil {
				return err
			}
			most := limit
			if e.json && !cmd.Flags().Changed("limit") {
				most = 0
			}
			return e.withService(cmd.Context(), modeState, func(svc api.Service) error {
				return e.listAudit(cmd.Context(), svc, from, most)
			})
		},
	}
	once(cmd, &since, "since", "only what was done since: a duration like 1h or 2d, or a time like 2026-01-31T09:00:00Z")
	cmd.Flags().BoolVar(&verify, "verify", false, "check that nothing else changed it")
	cmd.Flags().StringSliceVar(&known, "known", nil, "with --verify: a link that an earlier check printed; repeatable")
	cmd.Flags().IntVarP(&limit, "limit", "n", listShown, "how many of the newest records")
	cmd.AddCommand(newAuditAcceptCmd(e))
	return cmd
}

// listAudit prints the newest most records, 0 for all, oldest first.
func (e *env) listAudit(ctx context.Context, svc api.Service, since time.Time, most int) error {
	var all []api.AuditRecord
	q := api.AuditQuery{Since: since}
	older := false
	for {
		if most > 0 {
			q.Limit = min(most+1-len(all), pageSize) // one more shows whether there are older ones
		}
		page, err := svc.Audit(ctx, q)
		if err != nil {
			return err
		}
		all = append(all, page.Items...)
		if most > 0 && len(all) > most {
			all, older = all[:most], true
		}
		if q.Cursor = page.Next; q.Cursor == "" || older {
			break
		}
	}
	slices.Reverse(all)
	switch {
	case e.json:
		for _, r := range all {
			e.printJSON(r)
		}
		return nil
	case len(all) == 0:
		e.printf("Nothing is recorded%s.\n", map[bool]string{true: " since then"}[!since.IsZero()])
		e.next("waoutbox status")
		return nil
	}
	t := term.NewTable(term.Column{Name: "AT"}, term.Column{Name: "WHO"}, term.Column{Name: "WHAT"}, term.Column{Name: "OF", Shrink: 12}, term.Column{Name: "OUTCOME", Shrink: 12, Prose: true})
	objects := make([]string, 0, len(all))
	for _, r := range all {
		objects = append(objects, r.Object)
	}
	names := e.namesOf(ctx, svc, objects...)
	for _, r := range all {
		object := term.Clean(cmp.Or(r.About(), term.None))
		if r.URL == "" && strings.Contains(r.Object, "@") {
			object = names.text(r.Object, "")
		}
		t.Row(e.clock(r.At), term.Clean(auditWho(r)), term.Clean(r.Operation), object, term.Clean(auditOutcome(r)))
	}
	e.table(t, "")
	if older {
		e.printf("\nThere are older ones: list more with --limit, or stream all: %s\n", e.command("audit --json"))
	}
	e.next("waoutbox audit --json")
	return nil
}

// auditWho names a caller: an agent and a program by their own names.
func auditWho(r api.AuditRecord) string {
	as := ""
	if r.Principal != "" && r.Caller == api.CallerMCP {
		as = " (" + r.Principal + ")"
	}
	if r.Client == "" {
		return r.Caller + as
	}
	return strings.TrimSpace(r.Caller+" "+r.Client+" "+r.ClientVersion) + as
}

// auditOutcome says in words how it ended.
func auditOutcome(r api.AuditRecord) string {
	switch r.Outcome {
	case api.AuditDone:
	case api.AuditBegun:
		return "begun, and perhaps done"
	default:
		return strings.TrimSuffix(r.Outcome+": "+cmp.Or(r.Code, r.Reason), ": ")
	}
	parts := []string{cmp.Or(r.Result, r.Outcome)}
	if len(r.Fields) > 0 {
		parts = append(parts, "("+strings.Join(r.Fields, ", ")+")")
	}
	if r.Warning != "" {
		parts = append(parts, "with a warning")
	}
	return strings.Join(parts, " ")
}

// verifyAudit prints what a check of the audit trail finds. One that was changed is an error.
func (e *env) verifyAudit(ctx context.Context, svc api.Service, known []string) error {
	check, err := svc.VerifyAudit(ctx, api.VerifyAudit{Known: known})
	if err != nil {
		return err
	}
	if e.json {
		e.printJSON(check)
	} else {
		e.printf("%d records were checked.\n", check.Records)
		for _, l := range check.Links {
			e.printf("  %s\n", l)
		}
		e.showBroken(check)
	}
	if !check.Intact && len(known) > 0 {
		return errors.New("the audit trail is not the one whose links you noted, was changed by something else than waoutbox, or is damaged: compare it with a copy, and see who could write to the state directory")
	}
	if !check.Intact {
		return fmt.Errorf("the audit trail was changed by something else than waoutbox, or is damaged: compare it with a copy, and see who could write to the state directory. Once you know, take it as it is: %s", e.command("audit accept"))
	}
	if !e.json && len(check.Links) > 0 {
		switch {
		case !check.SealChecked:
			e.printf("Its seals were not looked at: the key is missing, so whoever could write to the database may have made all of it anew.\n")
		case check.Unsealed > 0:
			e.printf("%s were stored without a seal, while the key was missing.\n", term.Plural(check.Unsealed, "record", "records"))
		default:
			e.printf("It ends as it was sealed with the key of this state.\n")
		}
		e.printf("Nothing else changed it. Kept elsewhere, these links tell later whether all of it was replaced.\n")
		e.next("waoutbox audit --verify --known %s", check.Links[0])
	}
	return nil
}
