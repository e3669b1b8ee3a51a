package whatsappurl

import (
	"strings"
	"testing"
)

func TestParseProxy(t *testing.T) {
	for in, want := range map[string]string{
		"http://proxy.example:3128":             "http://proxy.example:3128",
		"http://proxy.example/":                 "http://proxy.example:80",
		"https://[2001:db8::1]":                 "https://[2001:db8::1]:443",
		"socks5h://10.0.0.1":                    "socks5://10.0.0.1:1080",
		"socks5://alice:s%40crEt@10.0.0.1:9050": "socks5://alice:s%40crEt@10.0.0.1:9050",
	} {
		got, err := ParseProxy(in)
		if err != nil || got.String() != want {
			t.Errorf("%s: %v, %v", in, got, err)
		}
	}
	for _, bad := range []string{"", "proxy.example:3128", "ftp://alice:s3crEt@h:1", "http://", "http://alice:s3crEt@", "http://h:0", "http://alice:s3crEt@h:70000", "http://h/path", "http://h?q", "socks4://h:1", "http://al ice:s3crEt@h:x"} {
		err := CheckProxy(bad)
		if err == nil || strings.Contains(err.Error(), "s3crEt") || !strings.Contains(err.Error(), "socks5://HOST:PORT") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := CheckProxy(ProxyFromEnvironment); err != nil {
		t.Error(err)
	}
}
