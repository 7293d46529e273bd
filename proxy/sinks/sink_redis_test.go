package sinks

import (
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"
)

func TestRedisContract(t *testing.T) {
	addr, port := freeAddr(t)
	config := Config{Kind: "redis", URL: "redis://" + addr, Stream: "audit", SecretFile: writeFile(t, "password", "redis-pw")}
	if err := openSink(t, config).Deliver(t.Context(), testLines(1)); err == nil {
		t.Error("Deliver returned nil before there was a server")
	}

	stop := startProgram(t, addr, "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir(), "--requirepass", "redis-pw")
	client := redis.NewClient(&redis.Options{Addr: addr, Password: "redis-pw"})
	t.Cleanup(func() { _ = client.Close() })

	testSink(t, sinkContract{
		config: config,
		received: func(t *testing.T) (bodies []string) {
			entries, err := client.XRange(t.Context(), "audit", "-", "+").Result()
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				bodies = append(bodies, fmt.Sprint(e.Values["record"]))
			}
			if len(entries) > 99 && (entries[99].Values["id"] != "r_99" || entries[99].Values["kind"] != "intent") {
				t.Errorf("entry 99 is %v, want id r_99 and kind intent", entries[99].Values)
			}
			return bodies
		},
		stop: stop,
	})
}
