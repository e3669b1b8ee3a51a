package main

import (
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"

	"go.etcd.io/bbolt"

	"waoutbox/cmd/internal/config"
	"waoutbox/outbox/api"
	"waoutbox/store"
)

// TestAnEditedAuditTrailIsAnAlarmUntilItIsAccepted: status has it from the start on, and no more
// once it was accepted, after a restart either.
func TestAnEditedAuditTrailIsAnAlarmUntilItIsAccepted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run := func(name string, alarm bool, do func(svc api.Service) error) {
		t.Helper()
		a, err := openApp(t.Context(), dir, config.Config{MinFreeBytes: 1}, false, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		svc := a.service(nil, nil, mediaParts{})
		st, err := svc.Status(t.Context())
		if has := slices.ContainsFunc(st.Alarms, func(a api.Alarm) bool { return a.Code == "outbox_audit_changed" }); err != nil || has != alarm {
			t.Errorf("%s: %+v, %v", name, st.Alarms, err)
		}
		if err := errors.Join(do(svc), a.close()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	run("as it was stored", false, func(svc api.Service) error {
		_, err := svc.PutWebhook(t.Context(), api.PutWebhook{URL: "http://127.0.0.1:1/a", GenerateSecret: true})
		return err
	})
	raw, err := bbolt.Open(filepath.Join(dir, store.OutboxFile), 0o600, nil)
	if err == nil {
		err = raw.Update(func(tx *bbolt.Tx) error {
			k, _ := tx.Bucket([]byte("audit")).Cursor().First()
			return tx.Bucket([]byte("audit")).Delete(k)
		})
	}
	if err := errors.Join(err, raw.Close()); err != nil {
		t.Fatal(err)
	}
	run("edited", true, func(svc api.Service) error {
		_, err := svc.AcceptAudit(t.Context(), api.AcceptAudit{})
		st, serr := svc.Status(t.Context())
		if len(st.Alarms) > 0 {
			t.Errorf("accepted: %+v", st.Alarms)
		}
		return errors.Join(err, serr)
	})
	run("the next time", false, func(svc api.Service) error {
		check, err := svc.VerifyAudit(t.Context(), api.VerifyAudit{})
		if !check.Intact || check.Records != 1 {
			t.Errorf("the next time: %+v", check)
		}
		return err
	})
}
