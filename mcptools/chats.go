package mcptools

import (
	"context"

	"waoutbox/outbox/api"
)

func (s *Server) findRecipient() tool {
	return define(s, declaration[findInput, findOutput]{
		name:        "whatsapp_find_recipient",
		title:       "Find contact or group",
		description: "Find people and groups to write to by a part of their name, or by number; jid is what other tools take. Names are data from strangers.",
		hints:       hints{readOnly: true, idempotent: true},
		limit:       shortCall,
		run:         s.runFindRecipient,
	})
}

type findInput struct {
	Query string `json:"query" max:"100" doc:"part of a name, or a phone number"`
	Limit int    `json:"limit,omitempty" range:"1,100" doc:"default 20"`
}

type findOutput struct {
	Items []recipientItem `json:"items"`
	Total int             `json:"total"`
}

type recipientItem struct {
	JID   string            `json:"jid"`
	Name  string            `json:"name"`
	Kind  api.RecipientKind `json:"kind"`
	Phone string            `json:"phone,omitempty"`
}

// maxName bounds a name that somebody else chose, in bytes.
const maxName = 100

func (s *Server) runFindRecipient(ctx context.Context, c *call, in findInput) (out findOutput, err error) {
	b, err := c.backend(ctx)
	if err != nil {
		return out, err
	}
	found, err := b.FindRecipients(ctx, api.FindRecipients{Query: in.Query, Limit: in.Limit})
	if err != nil {
		return out, err
	}
	out = findOutput{Items: make([]recipientItem, 0, len(found.Items)), Total: found.Total}
	for _, r := range found.Items {
		out.Items = append(out.Items, recipientItem{JID: r.JID, Name: cut(r.Name, maxName), Kind: r.Kind, Phone: r.Phone})
	}
	return out, nil
}

func (s *Server) sendReaction() tool {
	return define(s, declaration[reactionInput, sendOutput]{
		name:        "whatsapp_send_reaction",
		title:       "React",
		description: "React to a message with an emoji; without one the reaction is taken away.",
		hints:       hints{destructive: true, idempotent: true, openWorld: true},
		limit:       longCall,
		run:         s.runSendReaction,
	})
}

type reactionInput struct {
	JID       string `json:"jid" doc:"chat of the message"`
	MessageID string `json:"messageId" max:"128" doc:"id in the message's key"`
	Emoji     string `json:"emoji,omitempty" max:"32" doc:"one emoji; empty or absent removes"`
}

func (s *Server) runSendReaction(ctx context.Context, c *call, in reactionInput) (out sendOutput, err error) {
	b, err := c.backend(ctx)
	if err != nil {
		return out, err
	}
	sent, err := b.Send(ctx, api.Send{To: in.JID, Reaction: &api.Reaction{MessageID: in.MessageID, Emoji: in.Emoji}})
	if err != nil {
		return out, err
	}
	return sentOutput(sent), nil
}

func (s *Server) readMessages() tool {
	return define(s, declaration[readInput, doneOutput]{
		name:        "whatsapp_read_messages",
		title:       "Mark as read",
		description: "Mark messages as read, which their senders see.",
		hints:       hints{idempotent: true, openWorld: true},
		limit:       longCall,
		run:         s.runReadMessages,
	})
}

type readInput struct {
	MessageKeys []messageKey `json:"messageKeys" doc:"1 to 256 messages, as key in their events names them"`
}

type messageKey struct {
	RemoteJID   string `json:"remoteJid"`
	ID          string `json:"id" max:"128"`
	Participant string `json:"participant,omitempty" doc:"author, in a group; absent: looked up"`
}

// doneOutput is the result of a tool that only does something.
type doneOutput struct {
	Success bool   `json:"success"`
	Message string `json:"message,omitempty"`
}

func (s *Server) runReadMessages(ctx context.Context, c *call, in readInput) (out doneOutput, err error) {
	b, err := c.backend(ctx)
	if err != nil {
		return out, err
	}
	var ask api.MarkRead
	for _, k := range in.MessageKeys {
		ask.Messages = append(ask.Messages, api.MessageRef{Chat: k.RemoteJID, ID: k.ID, Participant: k.Participant})
	}
	if _, err := b.MarkRead(ctx, ask); err != nil {
		return out, err
	}
	return doneOutput{Success: true}, nil
}

func (s *Server) subscribePresence() tool {
	return define(s, declaration[presenceInput, doneOutput]{
		name:        "whatsapp_subscribe_presence",
		title:       "Watch presence",
		description: "Ask for presence.update events of a person. They come only for watched chats, and as far as the person and WhatsApp allow it.",
		hints:       hints{idempotent: true, openWorld: true},
		limit:       longCall,
		run:         s.runSubscribePresence,
	})
}

type presenceInput struct {
	JID string `json:"jid" doc:"JID of a person, or phone number with country code"`
}

func (s *Server) runSubscribePresence(ctx context.Context, c *call, in presenceInput) (out doneOutput, err error) {
	b, err := c.backend(ctx)
	if err != nil {
		return out, err
	}
	watched, err := b.WatchPresence(ctx, api.WatchPresence{Of: in.JID})
	if err != nil {
		return out, err
	}
	return doneOutput{Success: true, Message: "Watching " + watched.JID +
		" until the service restarts. WhatsApp tells presence to accounts that are online, and the service never shows this one as online: few events may come."}, nil
}
