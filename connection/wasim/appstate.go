package wasim

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"go.mau.fi/whatsmeow/appstate"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waServerSync"
	"go.mau.fi/whatsmeow/proto/waSyncAction"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	waLog "go.mau.fi/whatsmeow/util/log"
)

// syncedState is what an account's devices share through the server: settings
// as encrypted patches in numbered collections, and the phone's key for them.
// Its lock may be held while the account's is taken, not the other way round.
type syncedState struct {
	mu       sync.Mutex
	proc     *appstate.Processor
	notify   func(from types.JID, kind string, content ...waBinary.Node) waBinary.Node
	keyID    []byte
	keyData  []byte
	keyHolds types.JID // companion that was given the key
	keyShare string    // message that brings it, until acknowledged
	// what the companion fetched with it
	fetched map[appstate.WAPatchName]bool
	waiting []appstate.PatchInfo // changes for collections it has not
	waits   atomic.Int64         // length of waiting, for readers without the lock
	patches map[appstate.WAPatchName][][]byte
	state   map[appstate.WAPatchName]appstate.HashState
}

func newSyncedState(notify func(types.JID, string, ...waBinary.Node) waBinary.Node, keyID, keyData []byte) *syncedState {
	mem := &appStateMemory{
		keys: map[string]store.AppStateSyncKey{string(keyID): {Data: keyData}}, latest: keyID,
		versions: make(map[string]appstate.HashState), macs: make(map[string][]byte),
	}
	return &syncedState{
		proc:   appstate.NewProcessor(&store.Device{AppStateKeys: mem, AppState: mem}, waLog.Noop),
		notify: notify, keyID: keyID, keyData: keyData, fetched: make(map[appstate.WAPatchName]bool),
		patches: make(map[appstate.WAPatchName][][]byte), state: make(map[appstate.WAPatchName]appstate.HashState),
	}
}

// SetPushName changes the account's name on its phone and syncs it to the
// companion, which then may send presence.
func (a *Account) SetPushName(ctx context.Context, name string) error {
	if err := a.ChangeState(ctx, appstate.BuildSettingPushName(name)); err != nil {
		return fmt.Errorf("set push name: %w", err)
	}
	a.mu.Lock()
	a.name = name
	a.mu.Unlock()
	return nil
}

// ChangeState changes the account's synced state on its phone, by a patch of package appstate, and
// announces it to the companion by server_sync. A companion without the key for synced settings is
// sent that first, queued as the announcement is, and hears of the change once it has fetched what
// was there before: to a client, what it fetches first is the state from before it was linked.
func (a *Account) ChangeState(ctx context.Context, patch appstate.PatchInfo) error {
	d, err := a.companion(ctx)
	if err != nil {
		return fmt.Errorf("change synced state: %w", err)
	}
	share, news, err := a.synced.change(ctx, d, patch)
	if err == nil && share != "" {
		err = a.shareKey(ctx, share)
	}
	if err == nil && news != nil {
		err = a.enqueue(d, *news)
	}
	if err != nil {
		return fmt.Errorf("change synced state: %w", err)
	}
	return nil
}

// change makes a change of the phone and returns the notification about it. When it waits until the
// companion d has fetched the collection, that is about what is there to fetch. share is the id of
// the message that has to bring d the key first; the notification comes after that.
func (s *syncedState) change(ctx context.Context, d *device, info appstate.PatchInfo) (share string, news *waBinary.Node, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keyHolds != d.lid {
		for _, name := range appstate.AllPatchNames {
			if s.state[name].Version > 0 {
				continue
			}
			if err := s.encode(ctx, localeOf(name)); err != nil {
				return "", nil, err
			}
		}
		share = newPhoneMessageID()
		s.keyHolds, s.keyShare = d.lid, share
		clear(s.fetched)
	}
	if !s.fetched[info.Type] {
		s.waiting = append(s.waiting, info)
		s.waits.Store(int64(len(s.waiting)))
		if s.keyShare == "" {
			n := s.version(info.Type)
			news = &n
		}
		return share, news, nil
	}
	n, err := s.changeNow(ctx, info)
	return share, &n, err
}

// shared returns the notifications about the collections for which changes wait, if the message id
// was the one that brought the key.
func (s *syncedState) shared(id string) []waBinary.Node {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id != s.keyShare {
		return nil
	}
	s.keyShare = ""
	var news []waBinary.Node
	told := make(map[appstate.WAPatchName]bool)
	for _, info := range s.waiting {
		if !told[info.Type] {
			told[info.Type] = true
			news = append(news, s.version(info.Type))
		}
	}
	return news
}

// keyTakesEffect is how long a client has, after it has acknowledged the key, to fetch the
// collections by itself. Told of one before it has stored the key, it would ask in vain.
const keyTakesEffect = 2 * time.Second

// keyArrived goes on with what waited for the message that brings the key, if it was this one.
// It starts a goroutine, so it may be called with the account's lock held.
func (a *Account) keyArrived(d *device, id string) {
	a.srv.start(func() {
		timer := time.NewTimer(keyTakesEffect)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-a.srv.ctx.Done():
			return
		}
		for _, n := range a.synced.shared(id) {
			if err := a.enqueue(d, n); err != nil {
				a.srv.log.Warn("synced settings not announced", "error", err)
				return
			}
		}
	})
}

// localeOf is what a collection holds before anything changes. The real phone has other settings
// there; that it has some in every collection is what matters.
func localeOf(name appstate.WAPatchName) appstate.PatchInfo {
	return appstate.PatchInfo{Type: name, Mutations: []appstate.MutationInfo{{
		Index: []string{"setting_locale"}, Version: 3,
		Value: &waSyncAction.SyncActionValue{LocaleSetting: &waSyncAction.LocaleSetting{Locale: proto.String("en_US")}},
	}}}
}

// changeNow adds a patch and returns the notification about it. Call with the lock held.
func (s *syncedState) changeNow(ctx context.Context, info appstate.PatchInfo) (waBinary.Node, error) {
	if err := s.encode(ctx, info); err != nil {
		return waBinary.Node{}, err
	}
	return s.version(info.Type), nil
}

// version is the notification about a collection. Call with the lock held.
func (s *syncedState) version(name appstate.WAPatchName) waBinary.Node {
	return s.notify(types.ServerJID, "server_sync", waBinary.Node{Tag: "collection", Attrs: waBinary.Attrs{
		"name": string(name), "version": strconv.FormatUint(s.state[name].Version, 10),
	}})
}

// encode adds a patch of the phone. Call with the lock held.
func (s *syncedState) encode(ctx context.Context, info appstate.PatchInfo) error {
	raw, err := s.proc.EncodePatch(ctx, s.keyID, s.state[info.Type], info)
	if err != nil {
		return err
	}
	return s.apply(ctx, info.Type, raw)
}

// release makes the changes that waited for the companion to fetch a collection, and returns the
// notifications about them.
func (s *syncedState) release(ctx context.Context, request waBinary.Node) ([]waBinary.Node, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range request.GetChildrenByTag("collection") {
		s.fetched[appstate.WAPatchName(attrString(c, "name"))] = true
	}
	var news []waBinary.Node
	var left []appstate.PatchInfo
	for _, info := range s.waiting {
		if !s.fetched[info.Type] {
			left = append(left, info)
			continue
		}
		n, err := s.changeNow(ctx, info)
		if err != nil {
			return news, err
		}
		news = append(news, n)
	}
	s.waiting = left
	return news, nil
}

func (s *syncedState) countWaiting() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waits.Store(int64(len(s.waiting)))
}

// syncState returns the reply to a request for collections, and what to do once it is sent.
func (a *Account) syncState(ctx context.Context, d *device, n *waBinary.Node) (reply waBinary.Node, after func()) {
	request := n.GetChildByTag("sync")
	return iqResult(n, a.synced.sync(ctx, request)), func() {
		news, err := a.synced.release(ctx, request)
		for _, one := range news {
			if err == nil {
				err = a.enqueue(d, one)
			}
		}
		a.synced.countWaiting()
		a.mu.Lock()
		a.changed.notify()
		a.mu.Unlock()
		if err != nil {
			a.srv.log.Warn("a change of synced settings is lost", "error", err)
		}
	}
}

// apply numbers a patch, checks it and appends it. Call with the lock held.
func (s *syncedState) apply(ctx context.Context, name appstate.WAPatchName, raw []byte) error {
	patch := &waServerSync.SyncdPatch{}
	if err := proto.Unmarshal(raw, patch); err != nil {
		return fmt.Errorf("parse patch: %w", err)
	}
	patch.Version = &waServerSync.SyncdVersion{Version: proto.Uint64(s.state[name].Version + 1)}
	numbered, err := proto.Marshal(patch) // before decoding, which decrypts in place
	if err != nil {
		return err
	}
	_, state, err := s.proc.DecodePatches(ctx, &appstate.PatchList{Name: name, Patches: []*waServerSync.SyncdPatch{patch}}, s.state[name], true)
	if err != nil {
		return fmt.Errorf("check patch: %w", err)
	}
	s.state[name] = state
	s.patches[name] = append(s.patches[name], numbered)
	return nil
}

// shareKey sends the companion the key for synced settings, as a phone does
// after linking; the client then fetches every collection.
func (a *Account) shareKey(ctx context.Context, id string) error {
	return a.sendPeer(ctx, id, &waE2E.ProtocolMessage{
		Type: waE2E.ProtocolMessage_APP_STATE_SYNC_KEY_SHARE.Enum(),
		AppStateSyncKeyShare: &waE2E.AppStateSyncKeyShare{Keys: []*waE2E.AppStateSyncKey{{
			KeyID: &waE2E.AppStateSyncKeyId{KeyID: a.synced.keyID},
			KeyData: &waE2E.AppStateSyncKeyData{
				KeyData: a.synced.keyData, Timestamp: proto.Int64(time.Now().UnixMilli()),
				Fingerprint: &waE2E.AppStateSyncKeyFingerprint{RawID: proto.Uint32(1), CurrentIndex: proto.Uint32(0), DeviceIndexes: []uint32{0}},
			},
		}}},
	})
}

// sync returns the companion's requests for collections and takes its changes.
func (s *syncedState) sync(ctx context.Context, request waBinary.Node) waBinary.Node {
	s.mu.Lock()
	defer s.mu.Unlock()
	var replies []waBinary.Node
	for _, c := range request.GetChildrenByTag("collection") {
		replies = append(replies, s.collection(ctx, c))
	}
	return waBinary.Node{Tag: "sync", Content: replies}
}

func (s *syncedState) collection(ctx context.Context, c waBinary.Node) waBinary.Node {
	name := appstate.WAPatchName(attrString(c, "name"))
	has, _ := strconv.ParseUint(attrString(c, "version"), 10, 64)
	reply := waBinary.Node{Tag: "collection", Attrs: waBinary.Attrs{"name": string(name)}}
	var failure []waBinary.Node
	if raw := childBytes(c, "patch"); raw != nil {
		switch {
		case has != s.state[name].Version:
			failure = []waBinary.Node{{Tag: "error", Attrs: waBinary.Attrs{"code": 409, "text": "conflict"}}}
		default:
			if err := s.apply(ctx, name, raw); err != nil {
				failure = []waBinary.Node{{Tag: "error", Attrs: waBinary.Attrs{"code": 400, "text": "bad-request"}}}
			}
			has = s.state[name].Version // its own change is not sent back
		}
	}
	if failure != nil {
		reply.Attrs["type"] = "error"
	}
	reply.Attrs["version"] = strconv.FormatUint(s.state[name].Version, 10)
	var patches []waBinary.Node
	for _, raw := range s.patches[name][min(int(has), len(s.patches[name])):] {
		patches = append(patches, waBinary.Node{Tag: "patch", Content: raw})
	}
	reply.Content = append(failure, waBinary.Node{Tag: "patches", Content: patches})
	return reply
}
