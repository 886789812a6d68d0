// Package config reads the worker's configuration: one YAML file, strictly. Every problem is found
// in one pass and names line, column, key and remedy; nothing is connected to before the file is
// right.
//
// "${NAME}" in any value is the environment variable NAME ("$${" stands for "${"). A key "x_file"
// in the place of a secret "x" names a file that holds it, relative to the configuration's folder.
// Of a secret that is one line a byte-order mark and the white space around it are dropped, and a
// second line is an error; keys in PEM, .p12 and service-account files are taken as they are.
package config

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/hongyan-im/hongyan/internal/texts"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Config is a worker's configuration.
type Config struct {
	// NATS says where the streams are. Default: a server inside the worker.
	NATS NATS `yaml:"nats"`
	// HTTP is the worker's own small server.
	HTTP HTTP `yaml:"http"`
	// Log is what the worker writes to standard error.
	Log Log `yaml:"log"`
	// Retry says how often and how fast a push is tried again.
	Retry Retry `yaml:"retry"`
	// TextsFile names a YAML file that changes the words of notifications, such as "[Photo]", or
	// adds languages: language, then name of the text, then text; texts.md lists them. It is
	// relative to the configuration's folder. Default: none, the built-in words.
	TextsFile string `yaml:"texts_file"`
	// Shutdown bounds the time to finish what is under way after SIGTERM. Default 20s.
	Shutdown time.Duration `yaml:"shutdown"`
	// DirectoryTTL is how long registrations, presences and settings of people are kept of whom
	// nothing is heard: none of their records was stored anew. One worker erases them each night.
	// Default 4320h, 180 days; 0 keeps them for ever.
	DirectoryTTL *time.Duration `yaml:"directory_ttl"`
	// Apps are the IM apps whose messages are pushed. At least one is required.
	Apps []App `yaml:"apps"`

	texts    *texts.Catalogue
	warnings []Problem
	files    Files
}

// NATS says where the streams are: at a server or cluster, or in a server inside the worker.
type NATS struct {
	// URL is one or several addresses, comma-separated. Empty: the embedded server.
	URL string `yaml:"url"`
	// CredentialsFile holds a user's JWT and key, as nsc writes them (.creds). A connection has one
	// kind of credentials: this file, an nkey, a user, a token, or what stands in URL. Their files
	// are read at each connection, so that one that is replaced is used from the next one on.
	CredentialsFile string `yaml:"credentials_file"`
	// NKeyFile holds the seed of a user's nkey. A new one takes a restart.
	NKeyFile string `yaml:"nkey_file"`
	// User goes with Password or PasswordFile.
	User string `yaml:"user"`
	// Password is the user's, where it stands in no file.
	Password vendors.Secret `yaml:"password"`
	// PasswordFile holds the password and nothing else.
	PasswordFile string `yaml:"password_file"`
	// Token is the one that a server may want instead of a user.
	Token vendors.Secret `yaml:"token"`
	// TokenFile holds the token and nothing else.
	TokenFile string `yaml:"token_file"`
	// TLS says whom the connection trusts, and as whom it appears.
	TLS TLS `yaml:"tls"`
	// Embedded is the server inside the worker, used when URL is empty.
	Embedded Embedded `yaml:"embedded"`
	// Replicas of every stream: 1 (default), or 3 or 5 on a cluster.
	Replicas int `yaml:"replicas"`
	// SubjectPrefix and StreamPrefix let several installations share a NATS account. Defaults
	// "push" and "PUSH".
	SubjectPrefix string `yaml:"subject_prefix"`
	StreamPrefix  string `yaml:"stream_prefix"`
	// MaxBytes bounds PUSH_MESSAGES, PUSH_PIECES and each PUSH_JOBS stream, in bytes; a full stream
	// refuses new messages. 0 (default): the server's own limits.
	MaxBytes int64 `yaml:"max_bytes"`
	// MaxMessagesPerApp bounds what waits for each app in PUSH_MESSAGES, apart for chat, urgent
	// messages and signals; full means full for that app alone. Default 200000.
	MaxMessagesPerApp int64 `yaml:"max_messages_per_app"`
	// OutcomesMaxBytes bounds PUSH_OUTCOMES, in bytes; it drops its oldest records then. 0
	// (default): 8 GiB when it is made, or less where the server has not that much.
	OutcomesMaxBytes int64 `yaml:"outcomes_max_bytes"`
	// DeadMaxAge is how long PUSH_DEAD keeps dead letters, with their texts. 0 (default): 30 days
	// when it is made.
	DeadMaxAge time.Duration `yaml:"dead_max_age"`
}

// TLS says whom the connection to NATS trusts, and as whom it appears. Any of its keys makes the
// connection use TLS.
type TLS struct {
	// CAFile holds the root certificates, in PEM, that the servers' certificates are checked with.
	// Default: the system's.
	CAFile string `yaml:"ca_file"`
	// CertificateFile holds the worker's own certificate, in PEM, for servers that ask for one.
	CertificateFile string `yaml:"certificate_file"`
	// KeyFile holds the certificate's key, in PEM.
	KeyFile string `yaml:"key_file"`
}

// Embedded is the NATS server inside the worker.
type Embedded struct {
	// Dir holds the streams. Default ./data.
	Dir string `yaml:"dir"`
	// Listen is where publishers and tools reach it. Default 127.0.0.1:4222.
	Listen string `yaml:"listen"`
	// Cipher encrypts the streams on the disk, with Key: chacha or aes. Default: they are not
	// encrypted. What is there already is encrypted at the next
	// start.
	Cipher string `yaml:"cipher"`
	// Key is what the streams are encrypted with, at least 16 characters, such as what `openssl
	// rand -hex 32` prints. Without it nobody can read them, so keep it safe, and not beside them.
	Key vendors.Secret `yaml:"key"`
}

// HTTP is the worker's own small server.
type HTTP struct {
	// Listen serves /healthz, /readyz and /metrics. Default 127.0.0.1:8230; "off" serves nothing.
	Listen string `yaml:"listen"`
	// Explain opens the page /explain, which says why somebody got a push or none, and
	// /api/explain, the same as JSON, to those who may ask. Default: neither is served.
	Explain Explain `yaml:"explain"`
}

// Explain says who may ask why somebody got a push or none: whoever knows Password, or whom a proxy
// names in TrustedHeader; one of the two.
type Explain struct {
	// Password is the one that HTTP's basic authentication asks for, whatever the user's name; at
	// least 12 characters. It goes over the network as it is, so beyond this machine it needs a
	// proxy with TLS before it.
	Password vendors.Secret `yaml:"password"`
	// TrustedHeader names the header, such as X-User, in which an authenticating proxy says who
	// asks. Let nobody but the proxy reach the port, and let the proxy remove the header from what
	// it is sent.
	TrustedHeader string `yaml:"trusted_header"`
	// ShowText shows what notifications say that wait or are dead, to all who may ask. Default
	// false: texts are left out.
	ShowText bool `yaml:"show_text"`
}

// Open says whether anybody may ask.
func (e Explain) Open() bool { return e.Password != "" || e.TrustedHeader != "" }

// Log is what the worker writes to standard error.
type Log struct {
	// Level is debug, info (default), warn or error. At debug there is a line for every attempt.
	Level string `yaml:"level"`
	// Format is text (default) or json.
	Format string `yaml:"format"`
}

// Retry is how often and how fast a push is tried again.
type Retry struct {
	// Attempts is the most attempts that count. Default 8.
	Attempts int `yaml:"attempts"`
	// Base is the first delay's mean, doubled with each attempt up to Max. Defaults 1s and 5m.
	Base time.Duration `yaml:"base"`
	Max  time.Duration `yaml:"max"`
}

// App is one IM app.
type App struct {
	// ID is its name in subjects, [A-Za-z0-9_-]{1,64}.
	ID string `yaml:"id"`
	// Policy is the app's own rules for who is notified.
	Policy Policy `yaml:"policy"`
	// Certificates are its vendor accounts, any number, several of one vendor included.
	Certificates []vendors.Config `yaml:"certificates"`
}

// Policy is an app's own rules for who is notified.
type Policy struct {
	// ForegroundLease is how long a reported foreground holds. Default 400s.
	ForegroundLease time.Duration `yaml:"foreground_lease"`
	// StaleAfter is how long a device may be silent before it is left alone. Default 168h; 0 turns
	// the rule off.
	StaleAfter *time.Duration `yaml:"stale_after"`
	// MaxPushGroup is the most recipients of a group message that is still pushed. Default 0: any
	// number.
	MaxPushGroup int `yaml:"max_push_group"`
	// QuietWhenActiveElsewhere leaves a user's devices alone while another one is in the
	// foreground. Default false.
	QuietWhenActiveElsewhere bool `yaml:"quiet_when_active_elsewhere"`
	// Collapse is none, or conversation: then a newer message replaces the older one of its
	// conversation on the screen, where the vendor can. Default none.
	Collapse string `yaml:"collapse"`
	// Badge is the number on the app's icon. message: the message's unread; counted: what the
	// workers count, which is the number that a device reported when it went to the background, or
	// the last read mark's, and the messages planned for the user since; off: none is sent. Default
	// message.
	Badge string `yaml:"badge"`
	// RecallOverwrite is for how long after a vendor accepted a push a recall of its message takes
	// it back, or overwrites it with "message recalled". Default 2h; 0 for never.
	RecallOverwrite *time.Duration `yaml:"recall_overwrite"`
	// Preview is how much of a message its notification shows: full, sender (names, and "New
	// message" for the text) or none (neither names nor text, and of the ext only the ids). What
	// the user's settings say wins where it is stricter. Default full.
	Preview string `yaml:"preview"`
}

// Kinds makes the empty settings of each vendor, by its name.
type Kinds map[string]func() vendors.Config

var validName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Load reads and checks a file. The error is [Errors] when the file could be read.
func Load(path string, kinds Kinds) (*Config, error) {
	conf, _, err := Open(path, kinds)
	return conf, err
}

// Open is Load that also says which files were read, the configuration's own among them, and what
// they held. It says so where something is wrong with them too, so that one can wait until they
// change.
func Open(path string, kinds Kinds) (*Config, Files, error) {
	files := Files{}
	data, err := files.read(path)
	if err != nil {
		return nil, files, fmt.Errorf("read the configuration: %w", err)
	}
	conf, err := parse(path, data, kinds, os.LookupEnv, files)
	return conf, files, err
}

// Parse is Load for a file that was read; path is for messages and for finding secret files.
func Parse(path string, data []byte, kinds Kinds, env func(string) (string, bool)) (*Config, error) {
	return parse(path, data, kinds, env, Files{})
}

func parse(path string, data []byte, kinds Kinds, env func(string) (string, bool), files Files) (*Config, error) {
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, Errors{syntaxProblem(path, err)}
	}
	b := &binder{path: path, dir: filepath.Dir(path), env: env, kinds: kinds, anchors: map[string]ast.Node{}, files: files}
	c := &Config{}
	var body ast.Node
	if len(file.Docs) > 0 {
		body = file.Docs[0].Body
	}
	if len(file.Docs) > 1 {
		b.problem(file.Docs[1].Body, "", "the file holds several documents", "keep one")
	}
	b.root(body, c)
	b.check(body, c)
	inTexts := b.readTexts(body, c)
	slices.SortStableFunc(b.errs, byPlace)
	slices.SortStableFunc(inTexts, byPlace)
	if problems := append(b.errs, inTexts...); len(problems) > 0 {
		return nil, problems
	}
	b.lookForWarnings(body, c)
	slices.SortStableFunc(b.warnings, byPlace)
	c.warnings, c.files = b.warnings, files
	c.defaults()
	return c, nil
}

func byPlace(x, y Problem) int {
	return cmp.Or(cmp.Compare(x.Line, y.Line), cmp.Compare(x.Column, y.Column))
}

func (c *Config) defaults() {
	if c.NATS.Embedded.Dir == "" {
		c.NATS.Embedded.Dir = "./data"
	}
	if c.NATS.Embedded.Listen == "" {
		c.NATS.Embedded.Listen = "127.0.0.1:4222"
	}
	if c.NATS.Replicas == 0 {
		c.NATS.Replicas = 1
	}
	if c.HTTP.Listen == "" {
		c.HTTP.Listen = "127.0.0.1:8230"
	}
	if c.Shutdown == 0 {
		c.Shutdown = 20 * time.Second
	}
	if c.DirectoryTTL == nil {
		halfYear := 180 * 24 * time.Hour
		c.DirectoryTTL = &halfYear
	}
	for i := range c.Apps {
		p := &c.Apps[i].Policy
		if p.ForegroundLease == 0 {
			p.ForegroundLease = 400 * time.Second
		}
		if p.StaleAfter == nil {
			week := 168 * time.Hour
			p.StaleAfter = &week
		}
		if p.RecallOverwrite == nil {
			p.RecallOverwrite = new(2 * time.Hour)
		}
	}
}

// Vendors lists the vendors that the configuration uses, sorted.
func (c *Config) Vendors() []string {
	var names []string
	for _, a := range c.Apps {
		for _, s := range a.Certificates {
			if v := s.Base().Vendor; !slices.Contains(names, v) {
				names = append(names, v)
			}
		}
	}
	slices.Sort(names)
	return names
}

// Problem is one thing that is wrong with a file.
type Problem struct {
	Path         string
	Line, Column int
	// Key is where in the file, such as apps[0].certificates[2].app_key.
	Key string
	// Text says what is wrong, Remedy what to do.
	Text, Remedy string
}

// String is one line: path:line:column: key: text; remedy.
func (p Problem) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d:%d: ", p.Path, p.Line, p.Column)
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.Text)
	if p.Remedy != "" {
		b.WriteString("; " + p.Remedy)
	}
	return b.String()
}

// Errors are all that is wrong with a file, in the order of its lines.
type Errors []Problem

// Error is a line for each problem.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, p := range e {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}
