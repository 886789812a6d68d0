package bustest

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/hongyan-im/hongyan/internal/natsauth"
)

// Production is a cluster of three that runs deploy/nats-production.conf, with passwords and
// certificates of its own.
type Production struct {
	Cluster
	// CAFile is the authority of the servers' certificates, PasswordFile that of each user.
	CAFile       string
	PasswordFile map[string]string
	// Monitor is where the configuration has its servers listen for whoever monitors them.
	Monitor string

	users     []*server.User
	ports     []int      // of the servers, for each other
	routes    []*url.URL // the servers' addresses for each other, without a password
	authority *authority
	dir       string
	log       serverErrors
}

// StartProduction starts the servers with the text of their configuration, which includes
// nats-secrets.conf. Only the ports are others than there. They end with the test.
func StartProduction(t testing.TB, text []byte) *Production {
	t.Helper()
	p := &Production{PasswordFile: map[string]string{}, dir: t.TempDir()}
	authority := newAuthority(t)
	p.authority = authority
	p.CAFile = p.write(t, "ca.pem", authority.pem)
	p.ports = freePorts(t, 3)
	for i, port := range p.ports {
		p.routes = append(p.routes, &url.URL{Scheme: "nats-route", Host: "127.0.0.1:" + strconv.Itoa(port)})
		name := nodeName(i)
		must(t, os.Mkdir(filepath.Join(p.dir, name), 0o700))
		certificate, key := authority.issue(t, name)
		p.write(t, name+"/server.pem", certificate)
		p.write(t, name+"/key.pem", key)
	}
	for i := range p.ports {
		srv, err := server.NewServer(p.configure(t, i, text))
		must(t, err)
		srv.SetLoggerV2(&p.log, false, false, false)
		srv.Start()
		t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
		p.Servers = append(p.Servers, srv)
	}
	for i, srv := range p.Servers {
		if !srv.ReadyForConnections(20 * time.Second) {
			t.Fatalf("server %d of the cluster did not start", i)
		}
	}
	var addresses []string
	for _, srv := range p.Servers {
		addresses = append(addresses, srv.ClientURL())
	}
	p.URL = strings.Join(addresses, ",")
	return p
}

// Reload has the servers read another text of their configuration while they run. Nobody may read
// records meanwhile: a server (2.15.2) looks at its options then without a lock, which the race
// detector finds.
func (p *Production) Reload(t testing.TB, text []byte) {
	t.Helper()
	for i, srv := range p.Servers {
		_, err := srv.Connz(&server.ConnzOptions{}) // after it what was read before is over
		must(t, err)
		must(t, srv.ReloadOptions(p.configure(t, i, text)))
	}
}

func nodeName(i int) string { return fmt.Sprintf("nats-%d", i+1) }

// configure writes a server's files, with a password for each user, and reads them as the server
// does.
func (p *Production) configure(t testing.TB, i int, text []byte) *server.Options {
	t.Helper()
	name, at := nodeName(i), func(file string) string { return filepath.Join(p.dir, nodeName(i), file) }
	var secrets strings.Builder
	for _, user := range Users(t, text) {
		p.PasswordFile[user] = p.write(t, user, []byte(user+"-password\n"))
		fmt.Fprintf(&secrets, "%s-password: %q\n", user, user+"-password")
	}
	const routePassword = "route0password"
	var routes []string
	for _, r := range p.routes {
		routes = append(routes, fmt.Sprintf("%q", "nats-route://route:"+routePassword+"@"+r.Host))
	}
	fmt.Fprintf(&secrets, "route-password: %q\nroutes: [%s]\nca-file: %q\nserver-name: %q\nstore-dir: %q\nstore-key: %q\ncertificate-file: %q\nkey-file: %q\n",
		routePassword, strings.Join(routes, ", "), p.CAFile, name, p.Store(i), "store0key", at("server.pem"), at("key.pem"))
	p.write(t, name+"/nats-secrets.conf", []byte(secrets.String()))
	opts, err := server.ProcessConfigFile(p.write(t, name+"/nats-production.conf", text))
	must(t, err)
	p.Monitor, p.users = opts.HTTPHost, opts.Users
	opts.Host, opts.Port, opts.HTTPPort, opts.Cluster.Host, opts.Cluster.Port, opts.NoSigs = "127.0.0.1", server.RANDOM_PORT, server.RANDOM_PORT, "127.0.0.1", p.ports[i], true
	return opts
}

// StartRogue starts a server that wants to join the cluster without its password, with or without a
// certificate of the cluster's authority. It ends with the test.
func (p *Production) StartRogue(t testing.TB, certificate bool) *server.Server {
	t.Helper()
	opts := &server.Options{ServerName: "rogue", Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, Routes: p.routes,
		Cluster: server.ClusterOpts{Name: "hongyan", Host: "127.0.0.1", Port: server.RANDOM_PORT}}
	if certificate {
		opts.Cluster.TLSConfig = p.authority.serverConfig(t)
		opts.Cluster.TLSConfig.RootCAs = opts.Cluster.TLSConfig.ClientCAs
		opts.Cluster.TLSTimeout = 5
	}
	srv, err := server.NewServer(opts)
	must(t, err)
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(20 * time.Second) {
		t.Fatal("the rogue did not start")
	}
	return srv
}

// Credentials are those of a user of the configuration.
func (p *Production) Credentials(user string) natsauth.Credentials {
	return natsauth.Credentials{User: user, PasswordFile: p.PasswordFile[user], CAFile: p.CAFile}
}

// MayPublish says whether a user has the right for all that a filter covers.
func (p *Production) MayPublish(user, filter string) bool {
	return p.may(user, filter, func(rights *server.Permissions) *server.SubjectPermission { return rights.Publish })
}

// MaySubscribe is as MayPublish.
func (p *Production) MaySubscribe(user, filter string) bool {
	return p.may(user, filter, func(rights *server.Permissions) *server.SubjectPermission { return rights.Subscribe })
}

func (p *Production) may(user, filter string, of func(*server.Permissions) *server.SubjectPermission) bool {
	for _, u := range p.users {
		if u.Username == user {
			return slices.ContainsFunc(of(u.Permissions).Allow, func(allowed string) bool { return server.SubjectMatchesFilter(filter, allowed) })
		}
	}
	return false
}

// Store is the folder of a server's streams.
func (p *Production) Store(i int) string {
	return filepath.Join(p.dir, nodeName(i), "store")
}

// Errors are the lines in which the servers said that something is wrong, until now.
func (p *Production) Errors() []string { return p.log.all() }

func (p *Production) write(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(p.dir, filepath.FromSlash(name))
	must(t, os.WriteFile(path, content, 0o600))
	return path
}

// Users are those that a configuration has.
func Users(t testing.TB, text []byte) []string {
	t.Helper()
	var users []string
	for line := range strings.Lines(string(text)) {
		if _, rest, found := strings.Cut(line, "{ user: "); found {
			if name, rest, _ := strings.Cut(rest, ","); name != "route" && strings.Contains(rest, "$"+name+"-password") {
				users = append(users, name)
			}
		}
	}
	if len(users) == 0 {
		t.Fatal("the configuration has no users")
	}
	return users
}

// serverErrors keeps what servers log of errors and warnings.
type serverErrors struct {
	mu    sync.Mutex
	lines []string
}

func (l *serverErrors) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.lines...)
}

func (l *serverErrors) say(format string, v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf(format, v...))
}

func (l *serverErrors) Errorf(format string, v ...any) { l.say(format, v...) }
func (l *serverErrors) Warnf(format string, v ...any)  { l.say(format, v...) }
func (l *serverErrors) Fatalf(format string, v ...any) { l.say(format, v...) }
func (l *serverErrors) Noticef(string, ...any)         {}
func (l *serverErrors) Debugf(string, ...any)          {}
func (l *serverErrors) Tracef(string, ...any)          {}
