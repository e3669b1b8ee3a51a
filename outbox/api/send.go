package api

import "time"

// Send asks for one message to a person or a group, of one kind: Text, or one of the fields below
// it. To is a JID or a phone number.
type Send struct {
	To string `json:"to"`
	// the same key within 24 h sends nothing and returns the first result; with another recipient
	// or content it is refused (idempotency_conflict)
	IdempotencyKey string `json:"idempotency_key,omitempty"`
	// the message of that chat which a text, a location, a contact or a file is a reply to
	QuotedMessageID string `json:"quoted_message_id,omitempty"`

	Text     string    `json:"text,omitempty"`
	Reaction *Reaction `json:"reaction,omitempty"`
	Location *Location `json:"location,omitempty"`
	Contact  *Contact  `json:"contact,omitempty"`
	Edit     *Edit     `json:"edit,omitempty"`
	Delete   *Delete   `json:"delete,omitempty"`
	File     *File     `json:"file,omitempty"`
}

// File is an image, video, recording, document or sticker. Its content comes from one of Path and
// URL, or beside the request (Service.SendFile).
type File struct {
	Path string `json:"path,omitempty"` // on the service's machine, absolute, inside media-dirs
	URL  string `json:"url,omitempty"`
	// "": as the file is
	Kind    string `json:"kind,omitempty" enum:"image,video,audio,voice,document,sticker"`
	Caption string `json:"caption,omitempty"`
	// what a document is called; "": the last part of Path or URL
	Name string `json:"name,omitempty"`
	MIME string `json:"mimetype,omitempty"` // "": as the file says
}

// Reaction puts an emoji on a message of the chat, in the place of the one before; "" takes it
// away.
type Reaction struct {
	MessageID string `json:"message_id"`
	Emoji     string `json:"emoji"`
	// who wrote the message: a JID, a phone number or "me". Absent: it is looked up in the log,
	// which has the messages of the last days
	Author string `json:"author,omitempty"`
}

// Location is a point on the map, in degrees.
type Location struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
	Name      string  `json:"name,omitempty"`
	Address   string  `json:"address,omitempty"`
}

// Contact is a person's card: made of the name and the numbers, or VCard as it is.
type Contact struct {
	Name         string   `json:"name,omitempty"`
	Phones       []string `json:"phones,omitempty"` // with country code
	Organization string   `json:"organization,omitempty"`
	VCard        string   `json:"vcard,omitempty"`
}

// Edit puts another text in the place of an own text, or of a caption, of the last 15 minutes.
type Edit struct {
	MessageID string `json:"message_id"`
	Text      string `json:"text"`
}

// Delete takes an own message away for everybody, within about two days.
type Delete struct {
	MessageID string `json:"message_id"`
}

// SendResult is what Send sent.
type SendResult struct {
	MessageID string    `json:"message_id"`
	Chat      string    `json:"chat"`
	Timestamp time.Time `json:"timestamp,omitzero"`
	// an earlier call with the same idempotency key began it
	Repeated bool `json:"repeated,omitempty"`
}
