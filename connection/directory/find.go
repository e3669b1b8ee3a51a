package directory

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"unicode"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"waoutbox/outbox/api"
)

// minDigits is how much of a number is needed to look for it.
const minDigits = 3

// found is one recipient with how well it fits: less is better.
type found struct {
	api.Recipient
	rank int
}

// How well something fits.
const (
	rankWhole = iota // the whole name or number
	rankStart        // the name begins so
	rankWord         // a word of it does
	rankPart         // it has it somewhere
	rankNone
)

// Find looks for contacts and groups by a part of a name, or by digits of a number, the best first.
// Errors are the library's.
func (d *Directory) Find(ctx context.Context, cli *whatsmeow.Client, query string) ([]api.Recipient, error) {
	groups, err := d.joined(ctx, cli)
	if err != nil {
		return nil, err
	}
	p, err := readPeople(ctx, cli)
	if err != nil {
		return nil, err
	}
	var all []found
	for _, who := range p.all {
		if r := p.rank(who, query); r != rankNone {
			all = append(all, found{who.recipient(), r})
		}
	}
	for _, g := range groups {
		if r := min(rankOf(g.Name, query), rankOfJID(g.JID, query)); r != rankNone {
			all = append(all, found{api.Recipient{JID: g.JID.String(), Name: g.Name, Kind: api.RecipientGroup}, r})
		}
	}
	slices.SortFunc(all, func(a, b found) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), strings.Compare(fold(a.Name), fold(b.Name)), strings.Compare(a.JID, b.JID))
	})
	out := make([]api.Recipient, 0, len(all))
	for _, f := range all {
		out = append(out, f.Recipient)
	}
	return out, nil
}

// Person renders somebody who need not be a contact.
func (d *Directory) Person(ctx context.Context, cli *whatsmeow.Client, jids ...types.JID) (api.Recipient, error) {
	p, err := readPeople(ctx, cli)
	if err != nil {
		return api.Recipient{}, err
	}
	who := p.at(jids...)
	return who.recipient(), nil
}

func (p person) recipient() api.Recipient {
	return api.Recipient{JID: p.jid().String(), Name: p.name(), Kind: api.RecipientContact, Phone: p.phone(), AltJID: bare(p.alt())}
}

func (p *people) rank(who *person, query string) int {
	best := min(rankOfJID(who.pn, query), rankOfJID(who.lid, query))
	for _, name := range who.names() {
		best = min(best, rankOf(name, query))
	}
	digits := digitsOf(query)
	if len(digits) < minDigits || who.pn.User == "" {
		return best
	}
	trimmed := strings.TrimLeft(digits, "0") // of 0049…, and of 0151… as inside the country
	switch {
	case who.pn.User == trimmed:
		return rankWhole
	case trimmed != "" && strings.HasSuffix(who.pn.User, trimmed):
		return min(best, rankStart)
	case strings.Contains(who.pn.User, digits):
		return min(best, rankPart)
	}
	return best
}

// rankOf says how well a name fits.
func rankOf(name, query string) int {
	name, query = fold(name), fold(query)
	switch {
	case name == "" || query == "":
		return rankNone
	case name == query:
		return rankWhole
	case strings.HasPrefix(name, query):
		return rankStart
	case strings.Contains(name, " "+query):
		return rankWord
	case strings.Contains(name, query):
		return rankPart
	}
	return rankNone
}

func rankOfJID(jid types.JID, query string) int {
	if jid.User != "" && jid.String() == strings.TrimSpace(query) {
		return rankWhole
	}
	return rankNone
}

// fold makes names comparable: lower case, one space between words.
func fold(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(s), unicode.IsSpace), " ")
}

// digitsOf returns the digits of a query that is nothing but a number, "" for any other.
func digitsOf(query string) string {
	var b strings.Builder
	for _, r := range query {
		switch {
		case r >= '0' && r <= '9':
			b.WriteRune(r)
		case !strings.ContainsRune(" +-().\u00a0\u202f/", r):
			return ""
		}
	}
	return b.String()
}
