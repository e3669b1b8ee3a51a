package config

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
)

// parseAddress reads the address of the HTTP listener; "" for off.
func parseAddress(v string) (string, error) {
	if v == "" || v == "off" {
		return "", nil
	}
	host, port, err := net.SplitHostPort(v)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil || strings.ContainsAny(host, "/@ ") {
		return "", fmt.Errorf("%q is no address to listen on; write it like 127.0.0.1:8080, or off", v)
	}
	return v, nil
}

// checkFile wants a path that means the same wherever the service is started. The file need not be
// there yet.
func checkFile(v string) error {
	if v != "" && !filepath.IsAbs(v) {
		return fmt.Errorf("%q is not an absolute path; write it from the root on", v)
	}
	return nil
}

func parseBool(v string) (bool, error) {
	switch v {
	case "true":
		return true, nil
	case "", "false":
		return false, nil
	}
	return false, fmt.Errorf("%q is not one of true, false", v)
}

// isName accepts the letters, digits, dots, hyphens and underscores of a host's name, in ASCII.
func isName(host string) bool {
	return strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == ""
}

// parseHosts reads names of hosts, without their ports.
func parseHosts(v string) ([]string, error) {
	var hosts []string
	for host := range strings.SplitSeq(strings.ToLower(v), ",") {
		host = strings.TrimSuffix(strings.TrimSpace(host), ".")
		if host == "" {
			continue
		}
		if !isName(host) {
			return nil, fmt.Errorf("%q is no name of a host; write names alone, without port and path: waoutbox,wa.example.com", host)
		}
		hosts = append(hosts, host)
	}
	return hosts, nil
}
