package wasim

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"go.mau.fi/whatsmeow/appstate"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waServerSync"
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
	keyID    []byte
	keyData  []byte
	keyHolds types.JID // companion that was given the key
	patches  map[appstate.WAPatchName][][]byte
	state    map[appstate.WAPatchName]appstate.HashState
}

func newSyncedState(keyID, keyData []byte) *syncedState {
	mem := &appStateMemory{
		keys: map[string]store.AppStateSyncKey{string(keyID): {Data: keyData}}, latest: keyID,
		versions: make(map[string]appstate.HashState), macs: make(map[string][]byte),
	}
	return &syncedState{
		proc:  appstate.NewProcessor(&store.Device{AppStateKeys: mem, AppState: mem}, waLog.Noop),
		keyID: keyID, keyData: keyData,
		patches: make(map[appstate.WAPatchName][][]byte), state: make(map[appstate.WAPatchName]appstate.HashState),
	}
}

// SetPushName changes the account's name on its phone and syncs it to the
// companion, which then may send presence: the first time by giving it the key
// for synced settings, later by announcing the change. Both are queued.
func (a *Account) SetPushName(ctx context.Context, name string) error {
	d, err := a.companion(ctx)
	if err != nil {
		return fmt.Errorf("set push name: %w", err)
	}
	patch := appstate.BuildSettingPushName(name)
	version, announce, err := a.synced.change(ctx, d, patch)
	if err != nil {
		return fmt.Errorf("set push name: %w", err)
	}
	a.mu.Lock()
	a.name = name
	a.mu.Unlock()
	if announce {
		return a.enqueue(d, notification(types.ServerJID, "server_sync", waBinary.Node{
			Tag: "collection", Attrs: waBinary.Attrs{"name": string(patch.Type), "version": strconv.FormatUint(version, 10)},
		}))
	}
	return a.shareKey(ctx)
}

// change adds a patch of the phone; announce tells that the companion d has the
// key already.
func (s *syncedState) change(ctx context.Context, d *device, info appstate.PatchInfo) (version uint64, announce bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	raw, err := s.proc.EncodePatch(ctx, s.keyID, s.state[info.Type], info)
	if err != nil {
		return 0, false, err
	}
	if err := s.apply(ctx, info.Type, raw); err != nil {
		return 0, false, err
	}
	announce = s.keyHolds == d.lid
	s.keyHolds = d.lid
	return s.state[info.Type].Version, announce, nil
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
func (a *Account) shareKey(ctx context.Context) error {
	id := newPhoneMessageID()
	head := waBinary.Node{Tag: "message", Attrs: waBinary.Attrs{"id": id, "from": a.pn, "t": unix(time.Now()), "category": "peer"}}
	return a.transmit(ctx, a.phone, id, &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Type: waE2E.ProtocolMessage_APP_STATE_SYNC_KEY_SHARE.Enum(),
		AppStateSyncKeyShare: &waE2E.AppStateSyncKeyShare{Keys: []*waE2E.AppStateSyncKey{{
			KeyID: &waE2E.AppStateSyncKeyId{KeyID: a.synced.keyID},
			KeyData: &waE2E.AppStateSyncKeyData{
				KeyData: a.synced.keyData, Timestamp: proto.Int64(time.Now().UnixMilli()),
				Fingerprint: &waE2E.AppStateSyncKeyFingerprint{RawID: proto.Uint32(1), CurrentIndex: proto.Uint32(0), DeviceIndexes: []uint32{0}},
			},
		}}},
	}}, outgoing{head: head})
}

// sync answers the companion's requests for collections and takes its changes.
func (s *syncedState) sync(ctx context.Context, request waBinary.Node) waBinary.Node {
	s.mu.Lock()
	defer s.mu.Unlock()
	var answers []waBinary.Node
	for _, c := range request.GetChildrenByTag("collection") {
		answers = append(answers, s.collection(ctx, c))
	}
	return waBinary.Node{Tag: "sync", Content: answers}
}

func (s *syncedState) collection(ctx context.Context, c waBinary.Node) waBinary.Node {
	name := appstate.WAPatchName(attrString(c, "name"))
	has, _ := strconv.ParseUint(attrString(c, "version"), 10, 64)
	answer := waBinary.Node{Tag: "collection", Attrs: waBinary.Attrs{"name": string(name)}}
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
		answer.Attrs["type"] = "error"
	}
	answer.Attrs["version"] = strconv.FormatUint(s.state[name].Version, 10)
	var patches []waBinary.Node
	for _, raw := range s.patches[name][min(int(has), len(s.patches[name])):] {
		patches = append(patches, waBinary.Node{Tag: "patch", Content: raw})
	}
	answer.Content = append(failure, waBinary.Node{Tag: "patches", Content: patches})
	return answer
}
