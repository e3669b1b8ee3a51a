package wasim

import (
	"slices"
	"strconv"

	waBinary "go.mau.fi/whatsmeow/binary"
)

// rename changes the subject and returns the notification's content. Call with
// the lock held, as everything in this file.
func (g *Group) rename(by member, subject string) waBinary.Node {
	g.subject, g.subjectBy, g.subjectAt = subject, by.lid, g.acct.srv.now()
	n := waBinary.Node{Tag: "subject", Attrs: waBinary.Attrs{"subject": subject, "s_t": unix(g.subjectAt)}}
	g.owner(n.Attrs, "s_o", by)
	return n
}

// describe changes the description and returns the notification's content.
func (g *Group) describe(by member, id, topic string) waBinary.Node {
	g.topic, g.topicID, g.topicBy, g.topicAt = topic, id, by.lid, g.acct.srv.now()
	if topic == "" {
		return waBinary.Node{Tag: "description", Attrs: waBinary.Attrs{"id": id}, Content: []waBinary.Node{{Tag: "delete"}}}
	}
	return waBinary.Node{Tag: "description", Attrs: waBinary.Attrs{"id": id}, Content: []waBinary.Node{{Tag: "body", Content: []byte(topic)}}}
}

// alter adds, removes, promotes or demotes and returns the notification's content.
func (g *Group) alter(action string, who []member) waBinary.Node {
	before := g.version
	g.version++
	n := waBinary.Node{Tag: action, Attrs: waBinary.Attrs{"prev_v_id": strconv.Itoa(before), "v_id": strconv.Itoa(g.version)}}
	var nodes []waBinary.Node
	for _, m := range who {
		i := slices.IndexFunc(g.members, func(have member) bool { return have.lid == m.lid })
		switch {
		case action == "add" && i < 0:
			g.members = append(g.members, m)
		case action == "remove" && i >= 0:
			g.members = slices.Delete(g.members, i, i+1)
		case action == "promote" && i >= 0:
			g.members[i].role = "admin"
			m.role = "admin"
		case action == "demote" && i >= 0:
			g.members[i].role = ""
		}
		nodes = append(nodes, g.participant(m))
	}
	n.Content = nodes
	return n
}

func (g *Group) participant(m member) waBinary.Node {
	n := waBinary.Node{Tag: "participant", Attrs: waBinary.Attrs{}}
	if g.addressing == ByPN {
		n.Attrs["jid"], n.Attrs["lid"] = m.pn, m.lid
	} else {
		n.Attrs["jid"], n.Attrs["phone_number"] = m.lid, m.pn
	}
	if m.role != "" {
		n.Attrs["type"] = m.role
	}
	return n
}

// owner names who set something: the leading JID, and the phone number beside a LID.
func (g *Group) owner(attrs waBinary.Attrs, key string, m member) {
	if g.addressing == ByPN {
		attrs[key] = m.pn
		return
	}
	attrs[key], attrs[key+"_pn"] = m.lid, m.pn
}

// node describes the whole group.
func (g *Group) node() waBinary.Node {
	n := waBinary.Node{Tag: "group", Attrs: waBinary.Attrs{
		"id": g.jid.User, "subject": g.subject, "s_t": unix(g.subjectAt), "creation": unix(g.created),
		"addressing_mode": string(g.addressing), "size": len(g.members), "p_v_id": strconv.Itoa(g.version), "a_v_id": strconv.Itoa(g.announceVersion),
	}}
	g.owner(n.Attrs, "s_o", g.known(g.subjectBy))
	g.owner(n.Attrs, "creator", g.known(g.creator))
	var content []waBinary.Node
	if g.topic != "" {
		d := waBinary.Node{Tag: "description", Attrs: waBinary.Attrs{"id": g.topicID, "t": unix(g.topicAt)}, Content: []waBinary.Node{{Tag: "body", Content: []byte(g.topic)}}}
		g.owner(d.Attrs, "participant", g.known(g.topicBy))
		content = append(content, d)
	}
	content = append(content, g.settingNodes()...)
	for _, m := range g.members {
		content = append(content, g.participant(m))
	}
	n.Content = content
	return n
}
