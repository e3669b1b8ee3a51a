package device

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"

	"go.mau.fi/whatsmeow/types"
)

// Stored is what a device store says of the link while nobody has it open. Without an account none
// is linked.
type Stored struct {
	Account types.JID // without its device
	Name    string    // that the account gave itself
	Closed  time.Time // since when somebody wanted the link closed; zero: nobody did
	// why and since when none is linked, where one was logged out; zero: none was
	LoggedOut      string
	LoggedOutSince time.Time
}

// ReadStored reads the device store at path without changing it; one that is not there has no
// account. Nobody else may have it open: the caller owns the state.
func ReadStored(ctx context.Context, path string) (out Stored, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && info.Mode().IsRegular() && info.Size() == 0 {
		return out, nil
	}
	if err != nil {
		return out, fmt.Errorf("look at the device store: %w", err)
	}
	if err := checkHeader(path); err != nil {
		return out, err
	}
	query := "?mode=ro"
	if log, err := os.Stat(path + "-wal"); errors.Is(err, os.ErrNotExist) || err == nil && log.Size() == 0 {
		query += "&immutable=1" // all is in the file: nothing is made beside it
	}
	db, err := sql.Open(driver, fileURI(path)+query)
	if err != nil {
		return out, openError(path, err)
	}
	defer db.Close()
	if err := checkTables(ctx, db, path); err != nil {
		return out, err
	}
	linked, err := count(ctx, db, `SELECT count(*) FROM whatsmeow_device`, "whatsmeow_device")
	if err == nil && linked == 0 {
		out.LoggedOut, out.LoggedOutSince, err = (&Store{db: db}).LoggedOut(ctx)
	}
	if err != nil || linked == 0 {
		return out, wrapOpen(path, err)
	}
	var jid string
	if err := db.QueryRowContext(ctx, `SELECT jid, push_name FROM whatsmeow_device LIMIT 1`).Scan(&jid, &out.Name); err != nil {
		return Stored{}, openError(path, err)
	}
	account, err := types.ParseJID(jid)
	if err != nil {
		return Stored{}, fmt.Errorf("the device store %s has an account that is none", path)
	}
	out.Account = account.ToNonAD()
	out.Closed, err = (&Store{db: db}).Closed(ctx)
	return out, err
}
