package api

import "io"

// MediaInfo is what is known of the file of a message. What the sender chose is for people to read:
// MIME is not checked against the file, and FileName is no path.
type MediaInfo struct {
	Event    string `json:"event"`   // evt_…
	Message  string `json:"message"` // WhatsApp's id
	Kind     string `json:"kind" enum:"image,video,audio,voice,document,sticker"`
	MIME     string `json:"mimetype,omitempty"`
	FileName string `json:"file_name,omitempty"`
	Bytes    int64  `json:"bytes"`
	SHA256   string `json:"sha256"` // of the file, checked; hexadecimal
}

// MediaStatus is what of the setting keep-media is to be seen in status.
type MediaStatus struct {
	Files   int   `json:"files"` // kept
	Bytes   int64 `json:"bytes"`
	Waiting int   `json:"waiting,omitempty"` // still to be fetched
	Failed  int64 `json:"failed,omitempty"`  // given up since the service started
}

// Media is the file of a message, checked whole before its first byte. Content must be closed.
type Media struct {
	MediaInfo
	Content io.ReadCloser `json:"-"`
}
