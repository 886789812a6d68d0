package config

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/hongyan-im/hongyan/internal/natsaddr"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// find is the node of a key below a mapping, such as "apps" or "nats", "url"; the mapping itself
// where the key is absent.
func (b *binder) find(node ast.Node, keys ...string) ast.Node {
	for _, k := range keys {
		entries, _ := b.entries(node)
		i := slices.IndexFunc(entries, func(e entry) bool { return e.name == k || e.name == k+"_file" })
		if i < 0 {
			return node
		}
		node = entries[i].value
		if node == nil {
			return entries[i].key
		}
	}
	return node
}

// given says whether a mapping has a key.
func (b *binder) given(node ast.Node, key string) bool {
	entries, _ := b.entries(node)
	return slices.ContainsFunc(entries, func(e entry) bool { return e.name == key })
}

// own is find for a key that an alias or a merge may have brought from elsewhere: then it is the
// place where that was asked for.
func (b *binder) own(node ast.Node, key string) ast.Node {
	if _, ok := node.(*ast.AliasNode); ok {
		return node
	}
	var values []*ast.MappingValueNode
	switch n := b.follow(node).(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	}
	for _, v := range values {
		if !v.Key.IsMergeKey() && v.Key.GetToken().Value == key {
			return v.Value
		}
	}
	for _, v := range values {
		if v.Key.IsMergeKey() && b.given(v.Value, key) {
			return v.Key
		}
	}
	return node
}

// where names a place of the file.
func (b *binder) where(node ast.Node, key string) string {
	return fmt.Sprintf("%s (line %d)", key, b.at(b.own(node, "id"), "", "", "").Line)
}

// check holds the relations between values.
func (b *binder) check(root ast.Node, c *Config) {
	b.checkNATS(root, c)
	if l := c.HTTP.Listen; l != "" && l != "off" {
		if _, _, err := net.SplitHostPort(l); err != nil {
			b.problem(b.find(root, "http", "listen"), "http.listen", "is no address", "write host:port such as 127.0.0.1:8230, or off")
		}
	}
	b.checkExplain(root, &c.HTTP)
	if !slices.Contains([]string{"", "debug", "info", "warn", "error"}, c.Log.Level) {
		b.problem(b.find(root, "log", "level"), "log.level", "is no level", "write debug, info, warn or error")
	}
	if !slices.Contains([]string{"", "text", "json"}, c.Log.Format) {
		b.problem(b.find(root, "log", "format"), "log.format", "is no format", "write text or json")
	}
	if c.Retry.Attempts < 0 {
		b.problem(b.find(root, "retry", "attempts"), "retry.attempts", "is negative", "write a number from 1 on")
	}
	if base, longest := cmp.Or(c.Retry.Base, retryBase), cmp.Or(c.Retry.Max, retryMax); longest < base {
		at := "max"
		if c.Retry.Max == 0 {
			at = "base"
		}
		b.problem(b.find(root, "retry", at), "retry."+at, fmt.Sprintf("leaves retry.max, %v, shorter than retry.base, %v", longest, base), "make retry.max the longer one")
	}
	if ttl := c.DirectoryTTL; ttl != nil && *ttl != 0 && *ttl < leastDirectoryTTL {
		b.problem(b.find(root, "directory_ttl"), "directory_ttl", "is shorter than a day, so that people would be forgotten between two days of use", "make it longer, such as 4320h, or write 0 for ever")
	}
	if len(c.Apps) == 0 {
		b.problem(root, "apps", "is required", "name at least one app with its certificates")
	}
	b.checkApps(root, c)
}

// What [Retry] means where it says nothing.
const (
	retryBase = time.Second
	retryMax  = 5 * time.Minute
)

// leastPassword is the shortest password that keeps strangers from what explain tells, in bytes.
const leastPassword = 12

// headerName is a header's name, and clientsOwn are those that clients send by themselves, so that
// they name nobody.
var (
	headerName = regexp.MustCompile(`^[A-Za-z0-9-]+$`)
	clientsOwn = regexp.MustCompile(`(?i)^(accept.*|authorization|connection|content-.*|cookie|dnt|forwarded|host|origin|priority|range|referer|sec-.*|te|traceparent|tracestate|upgrade.*|user-agent|via|x-forwarded-.*)$`)
)

// checkExplain holds who may ask why somebody got a push or none.
func (b *binder) checkExplain(root ast.Node, h *HTTP) {
	e := h.Explain
	section := b.find(root, "http")
	if !b.given(section, "explain") {
		return
	}
	node := b.find(section, "explain")
	switch {
	case h.Listen == "off":
		b.problem(node, "http.explain", "is served nowhere, because http.listen is off", "give http.listen an address, or leave it out")
	case !e.Open() && !b.given(node, "password_file") && !b.given(node, "password"):
		b.problem(node, "http.explain", "does not say who may ask", "name a file in password_file, or a proxy's header in trusted_header")
	case e.Password != "" && e.TrustedHeader != "":
		b.problem(b.find(node, "trusted_header"), "http.explain.trusted_header", "is given beside a password", "keep one of the two")
	case e.Password != "" && len(e.Password) < leastPassword:
		b.problem(b.find(node, "password"), "http.explain.password", "is shorter than 12 characters", "take what `openssl rand -base64 18` prints")
	case e.TrustedHeader != "" && (!headerName.MatchString(e.TrustedHeader) || clientsOwn.MatchString(e.TrustedHeader)):
		b.problem(b.find(node, "trusted_header"), "http.explain.trusted_header", "is no header by which a proxy names a user", "write X-User, Remote-User or the like")
	}
}

// leastDirectoryTTL is the shortest time after which people are erased of whom nothing is heard.
const leastDirectoryTTL = 24 * time.Hour

// leastKey is the shortest key that streams are encrypted with, in bytes.
const leastKey = 16

// checkCipher holds how the embedded server's streams are encrypted.
func (b *binder) checkCipher(root ast.Node, e *Embedded) {
	switch {
	case !slices.Contains([]string{"", "chacha", "aes"}, e.Cipher):
		b.problem(b.find(root, "nats", "embedded", "cipher"), "nats.embedded.cipher", "is no cipher", "write chacha or aes, or leave it out")
	case e.Cipher != "" && e.Key == "":
		b.problem(b.find(root, "nats", "embedded", "cipher"), "nats.embedded.key", "is missing beside nats.embedded.cipher", "name a file with the key in key_file")
	case e.Cipher == "" && e.Key != "":
		b.problem(b.find(root, "nats", "embedded", "key"), "nats.embedded.cipher", "is missing beside nats.embedded.key", "write chacha or aes")
	case e.Cipher != "" && len(e.Key) < leastKey:
		b.problem(b.find(root, "nats", "embedded", "key"), "nats.embedded.key", "is shorter than 16 characters", "take what `openssl rand -hex 32` prints")
	}
}

func (b *binder) checkNATS(root ast.Node, c *Config) {
	b.checkCredentials(root, &c.NATS)
	n := c.NATS
	if n.URL != "" {
		if err := natsaddr.Check(n.URL); err != nil {
			b.problem(b.find(root, "nats", "url"), "nats.url", err.Error(), "write nats://host:4222, several separated by commas")
		}
	}
	b.checkCipher(root, &c.NATS.Embedded)
	if n.URL != "" && n.Embedded != (Embedded{}) {
		b.problem(b.find(root, "nats", "embedded"), "nats.embedded", "is given beside nats.url", "keep one of the two")
	}
	switch {
	case n.Replicas < 0 || n.Replicas > 5 || n.Replicas == 2 || n.Replicas == 4:
		b.problem(b.find(root, "nats", "replicas"), "nats.replicas", "is none of 1, 3 and 5", "write 1 for a single server, 3 for a cluster")
	case n.Replicas > 1 && n.URL == "":
		b.problem(b.find(root, "nats", "replicas"), "nats.replicas", "needs a cluster, but the embedded server is one alone", "give nats.url, or write 1")
	}
	if l := n.Embedded.Listen; l != "" {
		if _, _, err := net.SplitHostPort(l); err != nil {
			b.problem(b.find(root, "nats", "embedded", "listen"), "nats.embedded.listen", "is no address", "write host:port such as 127.0.0.1:4222")
		}
	}
	for key, v := range map[string]string{"subject_prefix": n.SubjectPrefix, "stream_prefix": n.StreamPrefix} {
		if v != "" && !validName.MatchString(v) {
			b.problem(b.find(root, "nats", key), "nats."+key, "has characters other than A-Z a-z 0-9 _ -, or is longer than 64", "shorten or respell it")
		}
	}
	if n.MaxBytes < 0 {
		b.problem(b.find(root, "nats", "max_bytes"), "nats.max_bytes", "is negative", "write a number of bytes, or 0 for the server's limits")
	}
	if n.MaxMessagesPerApp < 0 {
		b.problem(b.find(root, "nats", "max_messages_per_app"), "nats.max_messages_per_app", "is negative", "write a number of messages, or 0 for 200000")
	}
	if n.OutcomesMaxBytes < 0 {
		b.problem(b.find(root, "nats", "outcomes_max_bytes"), "nats.outcomes_max_bytes", "is negative", "write a number of bytes, or 0 for 8 GiB")
	}
}

func (b *binder) checkApps(root ast.Node, c *Config) {
	apps := map[string]string{}
	var nodes []ast.Node
	if seq, ok := b.follow(b.find(root, "apps")).(*ast.SequenceNode); ok {
		nodes = seq.Values
	}
	for i, a := range c.Apps {
		key := fmt.Sprintf("apps[%d]", i)
		node := root
		if i < len(nodes) {
			node = nodes[i]
		}
		switch {
		case a.ID == "":
			b.problem(node, key+".id", "is required", "name the app as its subjects do, such as demo")
		case !validName.MatchString(a.ID):
			b.problem(b.find(node, "id"), key+".id", "has characters other than A-Z a-z 0-9 _ -, or is longer than 64", "respell it")
		case apps[a.ID] != "":
			b.problem(b.own(node, "id"), key+".id", "is given to two apps, this one and "+apps[a.ID], "give each app a name of its own")
		default:
			apps[a.ID] = b.where(node, key)
		}
		if a.Policy.MaxPushGroup < 0 {
			b.problem(b.find(node, "policy", "max_push_group"), key+".policy.max_push_group", "is negative", "write 0 for any number")
		}
		if !slices.Contains([]string{"", "full", "sender", "none"}, a.Policy.Preview) {
			b.problem(b.find(node, "policy", "preview"), key+".policy.preview", "is none of full, sender and none", "leave it out for full")
		}
		if !slices.Contains([]string{"", "none", "conversation"}, a.Policy.Collapse) {
			b.problem(b.find(node, "policy", "collapse"), key+".policy.collapse", "is neither none nor conversation", "leave it out for none")
		}
		if !slices.Contains([]string{"", "message", "counted", "off"}, a.Policy.Badge) {
			b.problem(b.find(node, "policy", "badge"), key+".policy.badge", "is none of message, counted and off", "leave it out for message")
		}
	}
	seen := map[string]string{}
	for _, p := range b.places {
		b.checkCertificate(p, seen)
	}
}

func (b *binder) checkCertificate(p place, seen map[string]string) {
	base := p.settings.Base()
	switch {
	case base.ID == "":
		b.problem(p.node, p.key+".id", "is required", "name the certificate as registrations do, such as \"35001\"")
	case !validName.MatchString(base.ID):
		b.problem(b.find(p.node, "id"), p.key+".id", "has characters other than A-Z a-z 0-9 _ -, or is longer than 64", "respell it")
	case seen[base.ID] != "":
		b.problem(b.own(p.node, "id"), p.key+".id", "is already the name of "+seen[base.ID], "certificate names are unique in the installation")
	default:
		seen[base.ID] = b.where(p.node, p.key)
	}
	if base.Endpoint != "" {
		if u, err := url.Parse(base.Endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			b.problem(b.find(p.node, "endpoint"), p.key+".endpoint", "is no HTTP address", "write https://host[:port]")
		}
	}
	if base.CAFile != "" {
		if !filepath.IsAbs(base.CAFile) {
			base.CAFile = filepath.Join(b.dir, base.CAFile)
		}
		_, _ = b.files.read(base.CAFile) // TLS says what is wrong with it
		if _, err := base.TLS(); err != nil {
			b.problem(b.find(p.node, "ca_file"), p.key+".ca_file", err.Error(), "name a PEM file with root certificates")
		}
	}
	if base.CAOnly && base.CAFile == "" {
		b.problem(b.find(p.node, "ca_only"), p.key+".ca_only", "needs ca_file", "name a PEM file with the roots to trust, or leave it out")
	}
	if base.Proxy != "" {
		if _, err := vendors.ParseProxy(base.Proxy); err != nil {
			b.problem(b.find(p.node, "proxy"), p.key+".proxy", err.Error(), "write http://host:port")
		}
	}
	if base.Timeout > time.Minute {
		b.problem(b.find(p.node, "timeout"), p.key+".timeout", "is longer than a minute", "a vendor that has not answered by then will not")
	}
	if base.Concurrency < 0 || base.Concurrency > 20_000 {
		b.problem(b.find(p.node, "concurrency"), p.key+".concurrency", "is not between 1 and 20000", "leave it out for the default")
	}
	if base.Rate.DevicesPerSecond != 0 && base.Rate.RequestsPerSecond != 0 {
		b.problem(b.find(p.node, "rate"), p.key+".rate", "gives both devices_per_second and requests_per_second", "keep the one that the vendor counts")
	}
	if base.Rate.DevicesPerSecond < 0 || base.Rate.RequestsPerSecond < 0 {
		b.problem(b.find(p.node, "rate"), p.key+".rate", "is negative", "leave it out for the vendor's published rate")
	}
	if base.UrgentReserve < 0 || base.UrgentReserve >= 1 {
		b.problem(b.find(p.node, "urgent_reserve"), p.key+".urgent_reserve", "is not a share from 0 to below 1", "write 0.1 for a tenth")
	}
	if base.Timezone != "" {
		if _, err := time.LoadLocation(base.Timezone); err != nil {
			b.problem(b.find(p.node, "timezone"), p.key+".timezone", "is no IANA time zone", "write Asia/Shanghai or another name of that list")
		}
	}
	known := slices.Clone(b.errs)
	var is vendors.Checks
	is.Codes(base)
	for _, bad := range append(is.Problems(), p.settings.Problems()...) {
		key := p.key + "." + bad.Key
		// One mistake is told once: what was found above the driver judges too, and a value that
		// could not be read, from a file or the environment, is not missing besides.
		if slices.ContainsFunc(known, func(e Problem) bool { return e.Key == key || e.Key == key+"_file" }) {
			continue
		}
		if b.given(p.node, bad.Key+"_file") {
			key += "_file"
		}
		b.problem(b.find(p.node, bad.Key), key, bad.Text, bad.Remedy)
	}
}
