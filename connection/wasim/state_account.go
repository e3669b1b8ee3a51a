package wasim

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
)

type savedServer struct {
	Version  int            `json:"version"`
	Root     []byte         `json:"root"`
	NextLID  int64          `json:"next_lid"`
	Accounts []savedAccount `json:"accounts"`
	Media    []savedMedium  `json:"media,omitempty"`
}

type savedAccount struct {
	Name     string         `json:"name"`
	PN       string         `json:"pn"`
	LID      string         `json:"lid"`
	Phone    savedParty     `json:"phone"`
	Devices  uint16         `json:"devices"`
	Device   *savedDevice   `json:"device,omitempty"`
	Contacts []savedContact `json:"contacts"`
	Groups   []savedGroup   `json:"groups"`
	Channels []savedChannel `json:"channels,omitempty"`
	Acked    []Ack          `json:"acked"`
	// direct paths by message id
	Media    map[string]string `json:"media,omitempty"`
	Synced   savedSynced       `json:"synced"`
	Presence bool              `json:"presence_subscribed_only,omitempty"`
}

type savedDevice struct {
	Number       uint16         `json:"number"`
	Noise        []byte         `json:"noise"`
	Identity     []byte         `json:"identity"`
	Registration uint32         `json:"registration"`
	Signed       publicPreKey   `json:"signed"`
	OneTime      []publicPreKey `json:"one_time"`
	Uploaded     bool           `json:"uploaded"`
	Outbox       []savedStanza  `json:"outbox"`
}

type savedStanza struct {
	Node []byte `json:"node"`
	Info Ack    `json:"info"`
}

type savedContact struct {
	Name       string             `json:"name"`
	PN         string             `json:"pn"`
	LID        string             `json:"lid"`
	Party      savedParty         `json:"party"`
	Addressing Addressing         `json:"addressing"`
	Received   []savedReceived    `json:"received"`
	Receipts   []CompanionReceipt `json:"receipts"`
	Auto       []string           `json:"auto"`
	Available  bool               `json:"available"`
	LastSeen   time.Time          `json:"last_seen"`
	Known      bool               `json:"known"`
}

type savedReceived struct {
	Received
	Raw []byte `json:"raw"`
}

func (a *Account) save() (savedAccount, error) {
	synced, err := a.synced.save()
	if err != nil {
		return savedAccount{}, err
	}
	contacts, thaw := a.freeze()
	defer thaw()
	out := savedAccount{Name: a.name, Synced: synced, PN: a.pn.User, LID: a.lid.User, Devices: a.devices, Acked: a.acked, Presence: a.subscribedOnly}
	if out.Phone, err = a.phone.save(); err != nil {
		return out, err
	}
	for _, c := range contacts {
		one, err := c.save()
		if err != nil {
			return out, err
		}
		out.Contacts = append(out.Contacts, one)
	}
	for _, g := range a.groups {
		out.Groups = append(out.Groups, g.save())
	}
	out.Media = a.mediaPaths()
	for _, ch := range a.channels {
		out.Channels = append(out.Channels, ch.save())
	}
	if a.device != nil {
		out.Device, err = a.device.save()
	}
	return out, err
}

func (in savedAccount) load(s *Server) (*Account, error) {
	a := &Account{
		srv: s, name: in.Name, pn: types.NewJID(in.PN, types.DefaultUserServer), lid: types.NewJID(in.LID, types.HiddenUserServer),
		people: make(map[string]*Contact), media: make(map[string]*Medium), devices: in.Devices, acked: in.Acked, subscribedOnly: in.Presence,
	}
	for _, one := range in.Contacts {
		c := &Contact{
			acct: a, name: one.Name, addressing: one.Addressing, receipts: one.Receipts, auto: one.Auto,
			pn: types.NewJID(one.PN, types.DefaultUserServer), lid: types.NewJID(one.LID, types.HiddenUserServer),
			available: one.Available, lastSeen: one.LastSeen, known: one.Known,
		}
		for _, r := range one.Received {
			r.Message = &waE2E.Message{}
			if err := proto.Unmarshal(r.Raw, r.Message); err != nil {
				return nil, fmt.Errorf("message %s: %w", r.ID, err)
			}
			c.received = append(c.received, r.Received)
		}
		a.contacts = append(a.contacts, c)
		a.people[c.pn.User], a.people[c.lid.User] = c, c
	}
	for _, g := range in.Groups {
		a.groups = append(a.groups, g.load(a))
	}
	a.takeMedia(in.Media)
	for _, ch := range in.Channels {
		a.channels = append(a.channels, ch.load(a))
	}
	var err error
	if a.phone, err = in.Phone.load(a, a.lid); err != nil {
		return nil, err
	}
	for i, c := range a.contacts {
		if c.party, err = in.Contacts[i].Party.load(a, c.lid); err != nil {
			return nil, err
		}
	}
	if a.synced, err = in.Synced.load(a); err != nil {
		return nil, err
	}
	if in.Device != nil {
		a.device, err = in.Device.load(a)
	}
	return a, err
}

func (c *Contact) save() (savedContact, error) {
	p, err := c.party.save()
	if err != nil {
		return savedContact{}, err
	}
	out := savedContact{
		Name: c.name, PN: c.pn.User, LID: c.lid.User, Party: p, Addressing: c.addressing, Receipts: c.receipts, Auto: c.auto,
		Available: c.available, LastSeen: c.lastSeen, Known: c.known,
	}
	for _, r := range c.received {
		raw, err := proto.Marshal(r.Message)
		if err != nil {
			return out, fmt.Errorf("message %s: %w", r.ID, err)
		}
		out.Received = append(out.Received, savedReceived{Received: r, Raw: raw})
	}
	return out, nil
}

func (d *device) save() (*savedDevice, error) {
	out := &savedDevice{
		Number: d.pn.Device, Noise: d.noise[:], Identity: d.identity[:], Registration: d.registration,
		Signed: d.signed, OneTime: d.oneTime, Uploaded: d.uploaded,
	}
	for el := d.out.all.Front(); el != nil; el = el.Next() {
		st := el.Value.(*stanza)
		raw, err := packNode(st.node)
		if err != nil {
			return nil, fmt.Errorf("stanza %s: %w", st.key.id, err)
		}
		out.Outbox = append(out.Outbox, savedStanza{Node: raw, Info: st.info})
	}
	return out, nil
}

func (in savedDevice) load(a *Account) (*device, error) {
	if len(in.Noise) != 32 || len(in.Identity) != 32 {
		return nil, fmt.Errorf("the companion's keys have %d and %d bytes, not 32", len(in.Noise), len(in.Identity))
	}
	d := &device{
		pn: a.pn, lid: a.lid, noise: [32]byte(in.Noise), identity: [32]byte(in.Identity), registration: in.Registration,
		signed: in.Signed, oneTime: in.OneTime, uploaded: in.Uploaded, watching: make(map[string]bool),
	}
	d.pn.Device, d.lid.Device = in.Number, in.Number
	d.out.init()
	for _, st := range in.Outbox {
		n, err := unpackNode(st.Node)
		if err != nil {
			return nil, fmt.Errorf("stanza %s: %w", st.Info.ID, err)
		}
		d.out.push(&stanza{key: keyOf(n), node: n, info: st.Info})
	}
	return d, nil
}
