// Package client is what a generator makes of docs/openapi.json: client.gen.go, which is not kept.
package client
