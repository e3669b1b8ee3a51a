package device

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waAdv"
	"go.mau.fi/whatsmeow/types"
)

const otherKey = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

var quiet = slog.New(slog.DiscardHandler)

func open(t *testing.T, path, rootKey string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, rootKey, quiet)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// link stores a paired device, as the library does at the end of pairing.
func link(t *testing.T, s *Store, user string) {
	t.Helper()
	dev, err := s.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	jid := types.NewADJID(user, 0, 7)
	dev.ID = &jid
	dev.Account = &waAdv.ADVSignedDeviceIdentity{
		Details: []byte("details"), AccountSignatureKey: make([]byte, 32), AccountSignature: make([]byte, 64), DeviceSignature: make([]byte, 64),
	}
	if err := dev.Save(t.Context()); err != nil {
		t.Fatalf("save the device: %v", err)
	}
}

func linkedUser(t *testing.T, s *Store) string {
	t.Helper()
	dev, err := s.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return dev.GetJID().User
}

func TestLinkedDeviceSurvivesReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "whatsapp.db")
	s := open(t, path, "")
	if got := linkedUser(t, s); got != "" {
		t.Fatalf("a fresh store has the linked user %q", got)
	}
	link(t, s, "15550100999")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := linkedUser(t, open(t, path, "")); got != "15550100999" {
		t.Errorf("linked user after reopening is %q", got)
	}
}

func TestRenewForgetsAndPairsAgain(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "whatsapp.db"), "")
	link(t, s, "15550100999")
	first, err := s.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetRestriction(t.Context(), time.Now().Add(time.Hour), true); err != nil {
		t.Fatal(err)
	}
	if err := first.LIDs.PutLIDMapping(t.Context(), types.NewJID("2048", types.HiddenUserServer), types.NewJID("15550100123", types.DefaultUserServer)); err != nil {
		t.Fatal(err)
	}
	dev, err := s.Renew(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{restrictionTable, "whatsmeow_lid_map", "whatsmeow_device"} {
		if n, err := count(t.Context(), s.db, `SELECT count(*) FROM `+table, table); err != nil || n != 0 {
			t.Errorf("%d rows are left in %s, %v", n, table, err)
		}
	}
	if dev.ID != nil || bytes.Equal(dev.IdentityKey.Priv[:], first.IdentityKey.Priv[:]) {
		t.Error("Renew returned the old device")
	}
	if got := linkedUser(t, s); got != "" {
		t.Fatalf("still linked as %q", got)
	}
	link(t, s, "15550100999") // the same account again
	if got := linkedUser(t, s); got != "15550100999" {
		t.Errorf("linked again as %q", got)
	}
}

func TestPragmasHoldOnEveryConnection(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "a b?c#d%e.db"), "") // a path that needs escaping
	var conns []*sql.Conn
	for range 4 {
		c, err := s.db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	for i, c := range conns {
		for _, p := range pragmas {
			var got string
			if err := c.QueryRowContext(t.Context(), "PRAGMA "+p.name).Scan(&got); err != nil || !strings.EqualFold(got, p.want) {
				t.Errorf("connection %d: %s = %q, %v; want %q", i, p.name, got, err, p.want)
			}
		}
		c.Close()
	}
}

// A transaction must take the write lock when it begins: two that begin by reading would otherwise
// fail each other.
func TestTransactionsBeginImmediate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "whatsapp.db")
	s := open(t, path, "")
	tx, err := s.db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	other, err := sql.Open(driver, fileURI(path)+"?_pragma=busy_timeout(1)")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.ExecContext(t.Context(), `CREATE TABLE x (y)`); err == nil {
		t.Error("another connection could write during an open transaction")
	}
}

func TestPragmaThatDidNotTakeIsRefused(t *testing.T) {
	db, err := sql.Open(driver, ":memory:") // a memory database has no WAL
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, p := range pragmas {
		if _, err := db.Exec(fmt.Sprintf("PRAGMA %s = %s", p.name, p.set)); err != nil {
			t.Fatal(err)
		}
	}
	if err := checkPragmas(t.Context(), db, "whatsapp.db"); err == nil || !strings.Contains(err.Error(), "journal_mode=WAL") {
		t.Errorf("got %v, want a refusal that names journal_mode=WAL", err)
	}
}

// Mutation of device.go: the account's keys can be read by others.
func TestFilesAreForTheOwnerOnly(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Log("Windows has no mode bits: the state directory's access list protects the files")
		return
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "whatsapp.db")
	killed := open(t, filepath.Join(dir, "killed.db"), "")
	link(t, killed, "15550100999")
	for _, suffix := range []string{"", "-wal", "-shm"} { // a killed process leaves all of them
		content, err := os.ReadFile(filepath.Join(dir, "killed.db") + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path+suffix, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	killed.Close()
	s := open(t, path, "")
	link(t, s, "15550100998")
	names := 0
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		names++
		if got := info.Mode().Perm(); got != 0o600 {
			t.Errorf("%s has mode %o", info.Name(), got)
		}
	}
	if names != 3 {
		t.Errorf("%d files found, want the database, -wal and -shm", names)
	}
}

func TestForeignAndDamagedFilesAreRefusedUnchanged(t *testing.T) {
	dir := t.TempDir()
	foreign := filepath.Join(dir, "foreign.db")
	db, err := sql.Open(driver, fileURI(foreign))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`CREATE TABLE recipes (name TEXT); INSERT INTO recipes VALUES ('soup')`); err != nil {
		t.Fatal(err)
	}
	db.Close()

	whole := filepath.Join(dir, "whole.db")
	s := open(t, whole, "")
	link(t, s, "15550100999")
	s.Close()
	good, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	page := bytes.Clone(good)
	copy(page[4096:], bytes.Repeat([]byte{0xff}, 2048)) // a page of the schema
	head := bytes.Clone(good)
	copy(head, "not a database!!")

	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"another program's": {read(t, foreign), "another program"},
		"text":              {[]byte("hello"), "not an SQLite database"},
		"bad header":        {head, "header is damaged"},
		"bad page":          {page, "damaged"},
		"cut short":         {good[:8192], "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "whatsapp.db")
			if err := os.WriteFile(path, c.content, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Open(t.Context(), path, "", quiet)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Fatalf("got %v, want a refusal with %q and the path", err, c.want)
			}
			if !bytes.Equal(read(t, path), c.content) {
				t.Error("the refused file was changed")
			}
		})
	}
}

func TestLockedFileIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "whatsapp.db")
	// rollback journal: an exclusive lock keeps readers out too
	db, err := sql.Open(driver, fileURI(path)+"?_txlock=exclusive")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`CREATE TABLE whatsmeow_version (version INTEGER, compat INTEGER)`); err != nil {
		t.Fatal(err)
	}
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := Open(t.Context(), path, "", quiet); err == nil || !strings.Contains(err.Error(), "locked by another program") {
		t.Errorf("got %v, want a refusal that says the file is locked", err)
	}
}

func TestAnotherRootKeyIsRefusedOnceLinked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "whatsapp.db")
	open(t, path, "").Close()
	s := open(t, path, strings.ToUpper(otherKey)) // not linked: the settings may change
	link(t, s, "15550100999")
	s.Close()
	before := read(t, path)

	_, err := Open(t.Context(), path, "", quiet)
	if err == nil {
		t.Fatal("the account of another server was opened for WhatsApp")
	}
	for _, want := range []string{otherKey, "WhatsApp itself", "whatsapp-root-key"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the refusal %q does not name %q", err, want)
		}
	}
	if !bytes.Equal(read(t, path), before) {
		t.Error("the refused file was changed")
	}
	if got := linkedUser(t, open(t, path, otherKey)); got != "15550100999" {
		t.Errorf("with its own key: linked as %q", got)
	}
}

func TestBadRootKeyIsRefusedBeforeAFileExists(t *testing.T) {
	path := filepath.Join(t.TempDir(), "whatsapp.db")
	if _, err := Open(context.Background(), path, "abc", quiet); err == nil || !strings.Contains(err.Error(), "64 hex digits") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file was made: %v", err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestFullDiskIsSaidSo: whatever SQLite calls it, a disk without space is named. Before, starting
// on one printed "migrate the device store …: disk I/O error (4874). Check the disk and the file's
// permissions", and the second time "read the device store …: disk I/O error (4874)" alone.
func TestFullDiskIsSaidSo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "whatsapp.db")
	if err := secure(path); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open(driver, dsn(path))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(t.Context(), "PRAGMA max_page_count=2; CREATE TABLE a (x BLOB)"); err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), "INSERT INTO a VALUES (zeroblob(1 << 20))")
	if got := openError(path, err); err == nil || !strings.Contains(got.Error(), "the disk is full. Make space, then start again") {
		t.Errorf("%v became %q", err, got)
	}
	for code, want := range map[int]bool{13: true, 4874: true, 10: false, 778: false} {
		if diskFull(code) != want {
			t.Errorf("code %d means a full disk: %v, want %v", code, diskFull(code), want)
		}
	}
}
