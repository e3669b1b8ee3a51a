package wasim

import (
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
)

// Form is what the stanza of a message has besides its content. The zero value is how phones send.
type Form struct {
	// "" makes one; one that was used makes another copy of that message
	ID string    `json:"id,omitempty"`
	At time.Time `json:"at,omitzero"` // the attribute t; zero is now

	// 1 edit, 2 pin, 7 revoke, 8 revoke by an admin; 3 in channels
	Edit string `json:"edit,omitempty"`
	Type string `json:"type,omitempty"` // of the stanza; "" is what the content is
	// further attributes of <message>, such as category; an empty value removes one
	Attrs map[string]string `json:"attrs,omitempty"`
	Meta  map[string]string `json:"meta,omitempty"` // attributes of a <meta> child

	EncType    string `json:"enc_type,omitempty"`    // the type that <enc> claims
	EncVersion string `json:"enc_version,omitempty"` // its v; phones say 2
	Hide       bool   `json:"hide,omitempty"`        // decrypt-fail="hide"
	// encrypted in place of the message, decodable or not
	Plain []byte `json:"plain,omitempty"`
	// no ciphertext, but <unavailable> of this type, such as view_once; "-" is one without a type
	Unavailable string `json:"unavailable,omitempty"`
	// no ciphertext and nothing in its place: a message that is absent from its stanza
	Absent bool `json:"absent,omitempty"`
	// changes the stanza before it is queued; copies that are asked for again are sent without
	Alter func(stanza *waBinary.Node) `json:"-"`
}

// id makes the message id when there is none.
func (f *Form) id(fresh func() string) {
	if f.ID == "" {
		f.ID = fresh()
	}
}

// onHead writes what stands on <message>.
func (f Form) onHead(attrs waBinary.Attrs, content *waE2E.Message) {
	attrs["type"] = stanzaType(content)
	if f.Type != "" {
		attrs["type"] = f.Type
	}
	if !f.At.IsZero() {
		attrs["t"] = unix(f.At)
	}
	if f.Edit != "" {
		attrs["edit"] = f.Edit
	}
	setAttrs(attrs, f.Attrs)
}

// onEnc writes what stands on the <enc> with the content.
func (f Form) onEnc(enc *waBinary.Node) {
	if f.EncType != "" {
		enc.Attrs["type"] = f.EncType
	}
	if f.EncVersion != "" {
		enc.Attrs["v"] = f.EncVersion
	}
	if f.Hide {
		enc.Attrs["decrypt-fail"] = "hide"
	}
}

// inPlaceOfEnc returns what a message without ciphertext has instead; false when it has one.
func (f Form) inPlaceOfEnc() ([]waBinary.Node, bool) {
	switch f.Unavailable {
	case "":
		return nil, f.Absent
	case "-":
		return []waBinary.Node{{Tag: "unavailable"}}, true
	}
	return []waBinary.Node{{Tag: "unavailable", Attrs: waBinary.Attrs{"type": f.Unavailable}}}, true
}

// children returns the stanza's further children.
func (f Form) children() []waBinary.Node {
	if len(f.Meta) == 0 {
		return nil
	}
	meta := waBinary.Node{Tag: "meta", Attrs: waBinary.Attrs{}}
	setAttrs(meta.Attrs, f.Meta)
	return []waBinary.Node{meta}
}

// setAttrs writes attributes given as text; JIDs become JIDs, and empty values remove.
func setAttrs(attrs waBinary.Attrs, values map[string]string) {
	for name, v := range values {
		if v == "" {
			delete(attrs, name)
			continue
		}
		attrs[name] = attrValue(v)
	}
}
