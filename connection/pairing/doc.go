// Package pairing links an account: one session shows QR codes in their time, gets a code for a
// phone number when somebody asks for one, and takes the passkey that WhatsApp may want besides, up
// to the moment the account is linked or the session has failed with a sentence that says what to
// do next. Session is the session as everybody who waits for it sees it, Run its life on one
// connection.
package pairing
