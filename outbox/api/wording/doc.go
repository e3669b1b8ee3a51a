// Package wording says to each caller how it does what a sentence asks for. The sentences of the
// service name commands of this program, for people; an agent is told the tool that does the same,
// a program the route. What only the owner of the state may do is a command for everybody, and so
// is one in backquotes, which the user is to run. Commands are written without the state directory:
// who knows it puts it in where a sentence leaves for somebody.
//
// ways.go is the one list of what a command is for the others. Every command that a sentence of the
// service names is in it, as cmd/waoutbox/wording_test.go proves.
package wording
