package directory

// Cached is what the cache holds, in users and bytes.
func (d *Directory) Cached() (users, bytes int) { return d.cache.size() }
