package wasim

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waSyncAction"
)

// savedSynced are an account's synced settings.
type savedSynced struct {
	KeyID   []byte `json:"key_id"`
	KeyData []byte `json:"key_data"`
	// device number of the companion with the key
	Holder   uint16                            `json:"holder"`
	Patches  map[appstate.WAPatchName][][]byte `json:"patches"`
	Fetched  map[appstate.WAPatchName]bool     `json:"fetched,omitempty"`
	KeyShare string                            `json:"key_share,omitempty"`
	Waiting  []savedChange                     `json:"waiting,omitempty"`
}

func (s *syncedState) save() (savedSynced, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := savedSynced{KeyID: s.keyID, KeyData: s.keyData, Holder: s.keyHolds.Device, KeyShare: s.keyShare, Patches: make(map[appstate.WAPatchName][][]byte), Fetched: maps.Clone(s.fetched)}
	for name, list := range s.patches {
		out.Patches[name] = slices.Clone(list)
	}
	for _, info := range s.waiting {
		one, err := saveChange(info)
		if err != nil {
			return out, err
		}
		out.Waiting = append(out.Waiting, one)
	}
	return out, nil
}

// savedChange is a change of the phone that waits for the companion.
type savedChange struct {
	At        time.Time            `json:"at,omitzero"`
	Type      appstate.WAPatchName `json:"type"`
	Mutations []savedMutation      `json:"mutations"`
}

type savedMutation struct {
	Index   []string `json:"index"`
	Version int32    `json:"version"`
	Value   []byte   `json:"value"`
}

func saveChange(info appstate.PatchInfo) (savedChange, error) {
	out := savedChange{At: info.Timestamp, Type: info.Type}
	for _, m := range info.Mutations {
		raw, err := proto.Marshal(m.Value)
		if err != nil {
			return out, fmt.Errorf("a change of %s: %w", info.Type, err)
		}
		out.Mutations = append(out.Mutations, savedMutation{Index: m.Index, Version: m.Version, Value: raw})
	}
	return out, nil
}

func (in savedChange) load() (appstate.PatchInfo, error) {
	info := appstate.PatchInfo{Timestamp: in.At, Type: in.Type}
	for _, m := range in.Mutations {
		value := &waSyncAction.SyncActionValue{}
		if err := proto.Unmarshal(m.Value, value); err != nil {
			return info, fmt.Errorf("a change of %s: %w", in.Type, err)
		}
		info.Mutations = append(info.Mutations, appstate.MutationInfo{Index: m.Index, Version: m.Version, Value: value})
	}
	return info, nil
}

func (in savedSynced) load(a *Account) (*syncedState, error) {
	s := newSyncedState(a.notification, in.KeyID, in.KeyData)
	if in.Holder != 0 {
		s.keyHolds = a.lid
		s.keyHolds.Device = in.Holder
	}
	adopt(&s.fetched, in.Fetched)
	s.keyShare = in.KeyShare
	for _, one := range in.Waiting {
		info, err := one.load()
		if err != nil {
			return nil, err
		}
		s.waiting = append(s.waiting, info)
	}
	s.waits.Store(int64(len(s.waiting)))
	for name, list := range in.Patches {
		for i, raw := range list {
			if err := s.apply(context.Background(), name, raw); err != nil {
				return nil, fmt.Errorf("setting %d of %s: %w", i+1, name, err)
			}
		}
	}
	return s, nil
}
