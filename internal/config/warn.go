package config

import (
	"net"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// Warnings are what a configuration allows and a careful operator would not, in the order of its
// lines: secrets that everybody can read, and doors that are open.
func (c *Config) Warnings() []Problem { return c.warnings }

func (b *binder) warn(node ast.Node, key, text, remedy string) {
	b.warnings = append(b.warnings, b.at(node, key, text, remedy))
}

// warnings looks for what is allowed but unwise; the file has no problems.
func (b *binder) lookForWarnings(root ast.Node, c *Config) {
	if c.NATS.URL == "" {
		if l := c.NATS.Embedded.Listen; l != "" && !loopback(listenHost(l)) {
			b.warn(b.find(root, "nats", "embedded", "listen"), "nats.embedded.listen", "opens a server that asks nobody who they are beyond this machine",
				"listen on 127.0.0.1, or run a NATS server with users and give nats.url")
		}
	} else {
		b.warnOfNATS(root, c.NATS.URL)
	}
	if l := c.HTTP.Listen; l != "" && l != "off" && everyInterface(listenHost(l)) {
		b.warn(b.find(root, "http", "listen"), "http.listen", "serves metrics on all interfaces", "name the one that Prometheus and the probes reach, or keep strangers out by a firewall")
	}
	if l := c.HTTP.Listen; c.HTTP.Explain.Open() && l != "" && l != "off" && !loopback(listenHost(l)) {
		text, remedy := "is asked for its password in plain text beyond this machine", "listen on 127.0.0.1, and put a proxy with TLS before it"
		if c.HTTP.Explain.TrustedHeader != "" {
			text, remedy = "believes the header of whoever reaches the port", "let nobody but the proxy reach it"
		}
		b.warn(b.find(root, "http", "explain"), "http.explain", text, remedy)
	}
	for _, p := range b.places {
		for _, key := range []string{"endpoint", "token_endpoint"} {
			f, ok := fields(reflect.ValueOf(p.settings).Elem())[key]
			if !ok {
				continue
			}
			if u, err := url.Parse(f.value.String()); err == nil && u.Scheme == "http" && !loopback(u.Hostname()) {
				b.warn(b.find(p.node, key), p.key+"."+key, "is plain text: credentials and messages can be read on the way", "use https, with ca_file where the certificate is your own")
			}
		}
	}
	if b.inline.node != nil && readableByAll(b.path) {
		b.warn(b.inline.node, b.inline.key, "is a secret in a file that everybody on this machine can read: "+b.path, "chmod 640 it, or give the secret as a file or from the environment")
	}
}

func (b *binder) warnOfNATS(root ast.Node, addresses string) {
	node := b.find(root, "nats", "url")
	section, _ := b.entries(b.find(root, "nats"))
	given := func(names ...string) bool {
		return slices.ContainsFunc(section, func(e entry) bool { return slices.Contains(names, e.name) })
	}
	for address := range strings.SplitSeq(addresses, ",") {
		if address = strings.TrimSpace(address); !strings.Contains(address, "://") {
			address = "nats://" + address
		}
		u, err := url.Parse(address)
		if err != nil || loopback(u.Hostname()) {
			continue
		}
		if u.Scheme != "tls" && u.Scheme != "wss" && !given("tls") {
			b.warn(node, "nats.url", "reaches "+u.Host+" without TLS: messages and device tokens can be read on the way", "write tls:// there, or set nats.tls")
		}
		if u.User == nil && !given("credentials_file", "nkey_file", "user", "token", "token_file") {
			b.warn(node, "nats.url", "reaches "+u.Host+" as nobody: whoever reaches that server can read and publish too", "give the server users, and the worker its own")
		}
	}
	for _, e := range section {
		if slices.Contains([]string{"credentials_file", "nkey_file", "password_file", "token_file"}, e.name) {
			b.warnOfReaders(e.value, "nats."+e.name)
		}
	}
	if key := b.find(root, "nats", "tls", "key_file"); given("tls") {
		b.warnOfReaders(key, "nats.tls.key_file")
	}
}

// warnOfReaders warns of a file of credentials that is read elsewhere.
func (b *binder) warnOfReaders(node ast.Node, key string) {
	if _, ok := b.follow(node).(ast.ScalarNode); !ok {
		return
	}
	name, ok := b.text(node, key)
	if !ok || name == "" {
		return
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(b.dir, name)
	}
	if readableByAll(name) {
		b.warn(node, key, "names a file that everybody on this machine can read: "+name, "chmod 640 it (defaultMode: 0440 in Kubernetes)")
	}
}

// listenHost is the host of an address to listen on; the address was checked.
func listenHost(address string) string {
	host, _, _ := net.SplitHostPort(address)
	return host
}

func everyInterface(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}

// loopback says whether a host is this machine and nobody else's way to it.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
