package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// maxResponse bounds what is read of a response: a list of some 100,000 stanzas.
const maxResponse = 64 << 20

// ctl calls one operation of the control API and prints the response.
func ctl(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	flags := flag.NewFlagSet("ctl", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	url := flags.String("url", playURL(getenv), "")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("%w; %w", err, errUsage)
	}
	if flags.NArg() < 2 || !strings.HasPrefix(flags.Arg(1), "/") {
		return fmt.Errorf("ctl takes a method and a path that begins with a slash; %w", errUsage)
	}
	body, err := requestBody(flags.Args()[2:])
	if err != nil {
		return err
	}
	response, err := call(ctx, *url, strings.ToUpper(flags.Arg(0)), flags.Arg(1), body)
	if err != nil {
		return err
	}
	_, err = stdout.Write(response)
	return err
}

// call makes one request of the control API at url and returns the response.
func call(ctx context.Context, url, method, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(url, "/")+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	client := &http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("is wasim running at %s? Start it in a terminal of its own: wasim play (%w)", url, err)
	}
	defer resp.Body.Close()
	response, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse))
	if err != nil {
		return nil, fmt.Errorf("read the response: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, bytes.TrimSpace(response))
	}
	return response, nil
}

// requestBody makes the JSON body: one JSON argument as it is, or an object of
// name=text and name:=json arguments.
func requestBody(args []string) ([]byte, error) {
	if len(args) == 0 {
		return nil, nil
	}
	if len(args) == 1 && strings.HasPrefix(strings.TrimSpace(args[0]), "{") {
		return []byte(args[0]), nil
	}
	fields := make(map[string]any)
	for _, arg := range args {
		name, value, ok := strings.Cut(arg, "=")
		raw := strings.HasSuffix(name, ":")
		name = strings.TrimSuffix(name, ":")
		switch {
		case !ok || name == "":
			return nil, fmt.Errorf("argument %q is neither JSON nor name=text nor name:=json; %w", arg, errUsage)
		case !raw:
			fields[name] = value
		case json.Valid([]byte(value)):
			fields[name] = json.RawMessage(value)
		default:
			return nil, fmt.Errorf("argument %q: what follows := is not JSON; %w", arg, errUsage)
		}
	}
	return json.Marshal(fields)
}
