package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"waoutbox/cmd/internal/attach"
	"waoutbox/cmd/internal/config"
	"waoutbox/cmd/internal/term"
	"waoutbox/connection"
	"waoutbox/connection/media"
	"waoutbox/connection/media/kept"
	"waoutbox/connection/translate"
	"waoutbox/outbox/api"
	"waoutbox/store"
)

// mediaParts are what the service needs for the files of messages. The zero value has none.
type mediaParts struct {
	files   *media.Files
	kept    *kept.Store // nil: nothing is kept, and nothing of before is there
	sources *attach.Sources
}

// openSpool opens the directory in which files lie while they are fetched or sent.
func (a *app) openSpool(cfg config.Config) (*media.Spool, error) {
	dir := a.state.Path(store.MediaDir)
	room := func(more int64) error { return roomFor(dir, more, cfg.MinFreeBytes) }
	return media.OpenSpool(filepath.Join(dir, "spool"), media.Options{Room: room})
}

// openMedia opens what serves the files of messages. Kept ones are let go of with their events
// though no more are kept.
func (a *app) openMedia(cfg config.Config, spool *media.Spool, client *connection.Client, log *slog.Logger) (m mediaParts, err error) {
	dir := a.state.Path(store.MediaDir)
	room := func(more int64) error { return roomFor(dir, more, cfg.MinFreeBytes) }
	m.sources = attach.New(attach.Options{
		Dirs: cfg.MediaDirs, StateDir: a.state.Dir(), CheckURL: a.own.CheckURL, HTTP: a.sender.FetchClient(false), Public: a.sender.FetchClient(true), Lists: a.hosts.Lists,
	})
	from := media.Fetcher{Spool: spool, Servers: client.MediaServers()}
	policy := kept.Policy{Kinds: map[media.Kind]int64{}, Total: cfg.KeepMediaSize, MaxAge: cfg.KeepMediaAge}
	for kind, most := range cfg.KeepMedia {
		policy.Kinds[media.Kind(kind)] = most
	}
	at := filepath.Join(dir, "kept")
	if _, err := os.Stat(at); len(policy.Kinds) == 0 && errors.Is(err, fs.ErrNotExist) {
		m.files = media.NewFiles(from, nil, log)
		return m, nil
	}
	m.kept, err = kept.New(kept.Options{
		Dir: at, Policy: policy, Events: translate.MessageReceived, Log: a.box, Fetch: from, Room: room, DiskFull: store.DiskFull,
		Unreachable: func(err error) bool { return api.CodeOf(err) == api.CodeNotConnected }, Logger: log.With("component", "media"),
	})
	m.files = media.NewFiles(from, m.kept, log)
	return m, err
}

// roomFor returns media.ErrDiskLow when a file would leave less free space than events need.
func roomFor(dir string, more, least int64) error {
	free, err := store.FreeBytes(dir)
	if err != nil || more < 0 || least < 0 || free >= uint64(more)+uint64(least) {
		return nil //nolint:nilerr // a disk that cannot tell shows when a write fails
	}
	return fmt.Errorf("%w: %s are free, the file takes %s, and min-free-bytes keeps %s for events", media.ErrDiskLow, term.Bytes(int64(free)), term.Bytes(more), term.Bytes(least))
}

// status is what is to be seen of kept media, nil for nothing.
func (m mediaParts) status() *api.MediaStatus {
	if m.kept == nil {
		return nil
	}
	st := m.kept.Status()
	if !m.kept.On() && st.Files == 0 {
		return nil
	}
	return &api.MediaStatus{Files: st.Files, Bytes: st.Bytes, Waiting: st.Waiting, Failed: st.Failed}
}

// alarms tell of a disk that takes no media.
func (m mediaParts) alarms() []api.Alarm {
	if m.kept == nil {
		return nil
	}
	st := m.kept.Status()
	if st.DiskFull.IsZero() {
		return nil
	}
	return []api.Alarm{{Code: "media_disk_full", Since: st.DiskFull.UTC(), Message: fmt.Sprintf(
		"The disk has no room for media, so %d wait to be fetched; events are not affected. It goes on by itself when there is room. "+
			"Make some, or keep less (keep-media, keep-media-size)", st.Waiting)}}
}
