package bus

import "time"

// CloseIdleAfter sets when a consumer ends for which no message is stored.
func (b *Bus) CloseIdleAfter(d time.Duration) { b.idleClose = d }
