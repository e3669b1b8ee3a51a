package connection

import (
	"errors"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// errNobody ends the try of a message that its recipient could not read.
var errNobody = errors.New("the message is encrypted for nobody but the account's own devices")

// checkReaders gives up an own message that is about to be sent without a ciphertext for its
// recipient. The library leaves out whom it could not get keys of, with a line in its log; WhatsApp
// confirms what is left, which is the copy for the account's own phone. Of a group nobody needs to
// have one: its ciphertext is for all, and who cannot read it asks for it again.
func (s *openSends) checkReaders(n *waBinary.Node) {
	to, _ := n.Attrs["to"].(types.JID)
	participants, fanned := n.GetOptionalChildByTag("participants")
	if !fanned || to.Server != types.DefaultUserServer && to.Server != types.HiddenUserServer {
		return
	}
	id, _ := n.Attrs["id"].(string)
	s.mu.Lock()
	o := s.open[id]
	s.mu.Unlock()
	if o == nil || s.hasReader(to, participants) {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.giveUp != nil {
		o.giveUp(errNobody)
	}
}

// hasReader reports whether a device of the recipient, under whatever address, is among those that
// a message is encrypted for.
func (s *openSends) hasReader(to types.JID, participants waBinary.Node) bool {
	self := s.account()
	isSelf := func(j types.JID) bool { return j.User == self.PN.User || j.User == self.LID.User }
	for _, of := range participants.GetChildrenByTag("to") {
		if jid, ok := of.Attrs["jid"].(types.JID); ok && (isSelf(to) || !isSelf(jid)) {
			return true
		}
	}
	return false
}
