package admin

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"waoutbox/cmd/internal/hosts"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// AllowHost changes which hosts agents and programs may send events to. Only the command line may:
// whoever is bound by the policy does not change it.
func (s *Service) AllowHost(ctx context.Context, in api.AllowHost) (out api.HostPolicy, err error) {
	entry := outbox.AuditEntry{Operation: "webhook.allow", Object: in.Host}
	switch {
	case in.Reread:
		entry = outbox.AuditEntry{Operation: "webhook.policy"}
	case strings.TrimSpace(in.Host) == "":
		return s.hostPolicy(), nil
	case in.Disallow:
		entry.Operation = "webhook.disallow"
	}
	pattern, err := s.hostToChange(ctx, in)
	if err != nil {
		s.refused(ctx, &err, entry)
		return out, err
	}
	if in.Reread { // the setting that was changed is on record
		changed, warning, err := s.o.Hosts.Reread()
		return s.changedHosts(changed, warning, err)
	}
	if slices.Contains(s.o.Hosts.List(), pattern) != in.Disallow {
		return s.hostPolicy(), nil
	}
	entry.Object = pattern
	o, err := s.beginOutside(ctx, entry)
	if err != nil {
		return out, err
	}
	defer o.ended(ctx, &err, func(e *outbox.AuditEntry) {
		if e.Warning = strings.Join(out.Warnings, " "); !out.Changed {
			e.Result = "unchanged" // by somebody else, in this moment
		}
	})
	changed, warning, err := s.o.Hosts.Change(pattern, in.Disallow)
	return s.changedHosts(changed, warning, err)
}

// hostToChange checks who changes the policy, and returns the host as it is kept.
func (s *Service) hostToChange(ctx context.Context, in api.AllowHost) (pattern string, err error) {
	if s.asks(ctx).Kind != api.CallerCLI {
		return "", api.Errorf(api.CodeHostNotAllowed, "which hosts are allowed is changed on the command line only: %s", s.allowCommand(in))
	}
	if in.Reread {
		return "", nil
	}
	if pattern, err = hosts.Normalise(in.Host); err != nil {
		return "", api.Errorf(api.CodeInvalidArguments, "%s", err).In("host")
	}
	return pattern, nil
}

// changedHosts is the policy after a change.
func (s *Service) changedHosts(changed bool, warning string, err error) (api.HostPolicy, error) {
	if err != nil {
		return api.HostPolicy{}, api.Errorf(api.CodeInternal, "the hosts could not be kept in the settings, so nothing was changed: %s", err)
	}
	out := s.hostPolicy()
	out.Changed = changed
	if warning != "" {
		out.Warnings = append(out.Warnings, warning)
	}
	return out, nil
}

func (s *Service) allowCommand(in api.AllowHost) string {
	if in.Disallow {
		return s.command("webhook disallow HOST")
	}
	return s.command("webhook allow HOST")
}

func (s *Service) hostPolicy() api.HostPolicy {
	return api.HostPolicy{Policy: s.o.Hosts.Mode(), Hosts: append([]string{}, s.o.Hosts.List()...)}
}

// mayUnsign refuses an agent that takes a webhook's signature away, also that of a removed one: its
// receiver could not tell any more who sends.
func (s *Service) mayUnsign(ctx context.Context, r webhookRow, in api.PutWebhook) error {
	if s.asks(ctx).Kind != api.CallerMCP || len(r.cfg.Secret) == 0 || in.Secret == nil || *in.Secret != "" {
		return nil
	}
	return api.Errorf(api.CodeInvalidSecret, "%s is signed, and no agent makes it unsigned: its receiver could not tell any more who sends. Leave the secret out, or give a new one; the user can remove it with: `%s`",
		r.sub.ID, s.command("webhook", "add", string(r.sub.ID), "--no-secret"))
}

// mayDestroy refuses an agent what cannot be taken back, unless its user agreed; with the policy
// open it needs no consent where its client cannot ask. command is how the user does it himself.
func (s *Service) mayDestroy(ctx context.Context, approval api.Approval, what, command string) error {
	switch {
	case approval == api.ApprovalDeclined:
		return api.Errorf(api.CodeApprovalDeclined, "the user did not agree to %s, or was not reached in time, so nothing was done. He can do it himself with: `%s`", what, command)
	case s.asks(ctx).Kind != api.CallerMCP, approval == api.ApprovalGiven, s.o.Hosts.Mode() == api.PolicyOpen:
		return nil
	}
	return api.Errorf(api.CodeApprovalDeclined, "this client cannot ask its user whether to %s, so nothing was done. He can do it himself with: `%s`", what, command)
}

// checkHost applies the policy to a URL that somebody wants to register, where it is not the
// target of a webhook in use already. It returns a warning for what is let through unasked, or an
// error: refused, to be asked for, declined.
func (s *Service) checkHost(ctx context.Context, url string, approval api.Approval) (warning string, err error) {
	by := s.asks(ctx).Kind
	if by == api.CallerCLI {
		return "", nil
	}
	at, ok := s.o.Hosts.Allows(url)
	host := at.String()
	if at.Port == "443" || at.Port == "80" { // nobody writes these
		host = at.Host
	}
	allow := s.command("webhook", "allow", host)
	if strings.Contains(host, "xn--") {
		host += " (an international name in its ASCII form)"
	}
	switch {
	case approval == api.ApprovalDeclined:
		return "", api.Errorf(api.CodeApprovalDeclined, "the user did not agree to send WhatsApp events to %s, or was not reached in time. Allow it with: %s", host, allow)
	case ok:
		return "", nil
	case s.o.Hosts.Mode() == api.PolicyLocked:
		return "", api.Errorf(api.CodeHostNotAllowed, "WhatsApp events may not be sent to %s: it is not among the allowed hosts (webhook-hosts). Allow it with: %s", host, allow)
	case by != api.CallerMCP, approval == api.ApprovalNone:
		return fmt.Sprintf("%s is not among the allowed hosts, and nobody could be asked: tell the user that WhatsApp events go there. He allows it with: %s, or has others refused with: %s",
			host, allow, s.command("config", "set", "webhook-policy", api.PolicyLocked)), nil
	case approval == api.ApprovalGiven:
		return "", nil
	}
	return "", api.Errorf(api.CodeApprovalRequired, "Send copies of WhatsApp events, messages among them, to %s from now on? An agent asks for it; decline unless you know this host.", host)
}
