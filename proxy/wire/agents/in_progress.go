package agents

import "sync"

// inProgress counts what is in progress. Unlike with a sync.WaitGroup, something may
// begin while wait finds that nothing is in progress. The zero value is ready to use.
type inProgress struct {
	mu    sync.Mutex
	count int
	idle  chan struct{} // closed when count becomes 0; nil if nobody waits
}

func (p *inProgress) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count++
}

func (p *inProgress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count--
	if p.count == 0 && p.idle != nil {
		close(p.idle)
		p.idle = nil
	}
}

// wait returns when nothing is in progress. Only one goroutine may call it at a time.
func (p *inProgress) wait() {
	p.mu.Lock()
	if p.count == 0 {
		p.mu.Unlock()
		return
	}
	idle := make(chan struct{})
	p.idle = idle
	p.mu.Unlock()
	<-idle
}
