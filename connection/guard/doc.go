// Package guard keeps a panic inside the WhatsApp library from ending the process. The library runs
// what it received in goroutines of its own and recovers in few of them, so that one stanza it does
// not expect would take down everything else that runs here: a <failure> with reason 413 did. The
// guard puts itself in front of the library's handlers and of its reader of frames, which are
// private fields: each is looked up by name and type, and what is not found is an error. It also
// keeps apart what the library would read and write at the same time: who is in a group, and what
// is called at a connection's end.
package guard
