package wasim

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/util/keys"
)

// stateVersion numbers the format Save writes.
const stateVersion = 1

// Save writes everything that has to outlive a restart: the root key, accounts,
// contacts, groups, the companion's keys, all sessions, what is pending and what
// was acknowledged. A companion may be online meanwhile, but whatever happens
// after Save is missing in it: save after Close.
func (s *Server) Save(w io.Writer) error {
	saved := savedServer{Version: stateVersion, Root: s.keys.Root.Priv[:]}
	for _, a := range s.Accounts() {
		one, err := a.save()
		if err != nil {
			return fmt.Errorf("save account %s: %w", a.pn.User, err)
		}
		saved.Accounts = append(saved.Accounts, one)
	}
	saved.Media = s.saveMedia()
	s.mu.Lock()
	saved.NextLID = s.nextLID
	s.mu.Unlock()
	if err := json.NewEncoder(w).Encode(saved); err != nil {
		return fmt.Errorf("save the simulator's state: %w", err)
	}
	return nil
}

// Load makes a server from what Save wrote. It starts nothing. Companions find
// it as they left the other one if it listens on the same address.
func Load(r io.Reader, o Options) (*Server, error) {
	var saved savedServer
	if err := json.NewDecoder(r).Decode(&saved); err != nil {
		return nil, fmt.Errorf("load the simulator's state: %w", err)
	}
	if saved.Version != stateVersion || len(saved.Root) != 32 {
		return nil, fmt.Errorf("load the simulator's state: format %d is not %d, the one this program writes", saved.Version, stateVersion)
	}
	s, err := newServer(o, keys.NewKeyPairFromPrivateKey([32]byte(saved.Root)))
	if err != nil {
		return nil, err
	}
	s.nextLID = saved.NextLID
	s.loadMedia(saved.Media)
	for _, one := range saved.Accounts {
		a, err := one.load(s)
		if err != nil {
			return nil, fmt.Errorf("load account %s: %w", one.PN, err)
		}
		s.accounts = append(s.accounts, a)
	}
	return s, nil
}

// RenewSessions drops every Signal session and the companions' one-time
// prekeys, for a state that was saved before the end of its run: keys used in
// the meantime must not be used twice. Both sides start afresh by themselves.
func (s *Server) RenewSessions() {
	for _, a := range s.Accounts() {
		parties := []*party{a.phone}
		for _, c := range a.Contacts() {
			parties = append(parties, c.party)
		}
		for _, p := range parties {
			p.mu.Lock()
			clear(p.ring.sessions)
			clear(p.ring.senderKeys)
			clear(p.shared)
			p.mu.Unlock()
		}
		a.mu.Lock()
		if a.device != nil {
			a.device.oneTime = nil
		}
		a.mu.Unlock()
	}
}

// freeze locks an account and all its parties, so that a snapshot is consistent.
func (a *Account) freeze() (contacts []*Contact, thaw func()) {
	for {
		contacts = a.Contacts()
		locks := []sync.Locker{&a.phone.mu}
		for _, c := range contacts {
			locks = append(locks, &c.party.mu)
		}
		locks = append(locks, &a.mu)
		for _, l := range locks {
			l.Lock()
		}
		thaw = func() {
			for _, l := range slices.Backward(locks) {
				l.Unlock()
			}
		}
		if len(a.contacts) == len(contacts) {
			return contacts, thaw
		}
		thaw() // somebody added a contact in between
	}
}

func packNode(n waBinary.Node) ([]byte, error) { return waBinary.Marshal(n) }

func unpackNode(raw []byte) (waBinary.Node, error) {
	if len(raw) == 0 {
		return waBinary.Node{}, io.ErrUnexpectedEOF
	}
	plain, err := waBinary.Unpack(raw)
	if err != nil {
		return waBinary.Node{}, err
	}
	n, err := waBinary.Unmarshal(plain)
	if err != nil {
		return waBinary.Node{}, err
	}
	return *n, nil
}
