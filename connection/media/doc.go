// Package media fetches and uploads the files of messages: images, video, audio, documents and
// stickers, which lie encrypted on WhatsApp's media servers.
//
// Nothing is held in memory whole. A [Spool] fetches the encrypted file into a file of the state
// directory, goes on where an earlier try stopped, checks it against the hashes and the MAC that
// the message carries, and only then decrypts it, while it is read. The other way a file is
// encrypted into the spool and uploaded from there.
//
// All that a message says of its file was chosen by its sender. No name in it becomes a path, its
// url field is never used, its direct path is fetched from WhatsApp's media hosts alone, and no
// redirect is followed.
package media
