// Package directory finds whom an account can write to: people by name or number, and the groups it
// is in. What it knows of people is the library's store; groups are asked of WhatsApp.
package directory
