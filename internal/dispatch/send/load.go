package send

import (
	"context"
	"sync"
)

const (
	// mostDevices is how many devices all senders of a worker have at hand and on calls before
	// nothing more is planned: some 10 MB, and more than a tenth of a second of a worker's work.
	mostDevices = 16_000
	// fairDevices is what an app may have in any case, so that it waits for no other one.
	fairDevices = mostDevices / 4
)

// Load counts the devices that all senders of a worker have at hand and on calls, and holds
// planning back while they are too many. The zero value is ready. It may be used by many
// goroutines.
type Load struct {
	mu    sync.Mutex
	all   int
	apps  map[string]int
	freed chan struct{} // closed when devices were done with while somebody waited
}

// Wait waits while the worker has too much at hand for more of an app. It returns false when ctx
// ends before.
func (l *Load) Wait(ctx context.Context, app string) bool {
	for {
		l.mu.Lock()
		if l.all < mostDevices || l.apps[app] < fairDevices {
			l.mu.Unlock()
			return true
		}
		if l.freed == nil {
			l.freed = make(chan struct{})
		}
		freed := l.freed
		l.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return false
		}
	}
}

// Devices is how many there are now.
func (l *Load) Devices() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all
}

// add counts devices of an app as taken over, or with a negative n as done with.
func (l *Load) add(app string, n int) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.apps == nil {
		l.apps = map[string]int{}
	}
	l.all += n
	if l.apps[app] += n; l.apps[app] == 0 {
		delete(l.apps, app)
	}
	if n < 0 && l.freed != nil {
		close(l.freed)
		l.freed = nil
	}
}
