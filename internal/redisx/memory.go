package redisx

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// Memory is how much memory a Redis uses, and how much it has, in bytes: its
// maxmemory, or without one all of its machine's. Of a cluster it is that of the
// fullest master.
func Memory(ctx context.Context, client redis.UniversalClient) (used, most int64, err error) {
	cluster, ok := client.(*redis.ClusterClient)
	if !ok {
		return nodeMemory(ctx, client)
	}
	var mu sync.Mutex
	err = cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		u, m, err := nodeMemory(ctx, node)
		mu.Lock()
		defer mu.Unlock()
		if err == nil && float64(u)*float64(most) >= float64(used)*float64(m) {
			used, most = u, m
		}
		return err
	})
	return used, most, err
}

func nodeMemory(ctx context.Context, client redis.Cmdable) (used, most int64, err error) {
	text, err := client.Info(ctx, "memory").Result()
	if err != nil {
		return 0, 0, fmt.Errorf("info memory: %w", err)
	}
	used, most, system := memory(text)
	if most == 0 {
		most = system
	}
	return used, most, nil
}

// memory takes what it knows from an answer to INFO memory.
func memory(text string) (used, most, system int64) {
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		n, _ := strconv.ParseInt(value, 10, 64)
		switch name {
		case "used_memory":
			used = n
		case "maxmemory":
			most = n
		case "total_system_memory":
			system = n
		}
	}
	return used, most, system
}
