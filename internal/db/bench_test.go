package db_test

import (
	"context"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/ent"
	"switchboard/internal/db"
	"switchboard/internal/house"
)

var (
	benchAccount = uuid.New()
	benchNumber  = uuid.New()
)

// insertMessage is the change of the benchmarks: one message with a hundred characters.
func insertMessage(ctx context.Context, tx *ent.Client, id int64) error {
	return tx.Message.Create().SetID(id).SetDataID(id).
		SetFromAccount(benchAccount).SetFromNumberID(benchNumber).SetFromNumber("+33123456789").
		SetToAccount(benchAccount).SetToNumberID(benchNumber).SetToNumber("+33987654321").
		SetLength(100).Exec(ctx)
}

// clients makes n changes from so many goroutines and tells the CPU time that each took, the runtime's included.
func clients(b *testing.B, s *db.Store, goroutines int) {
	b.Helper()
	var next atomic.Int64
	var group sync.WaitGroup
	before := s.Stats()
	cpu := cpuTime()
	b.ReportAllocs()
	b.ResetTimer()
	for range goroutines {
		group.Go(func() {
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			for {
				id := next.Add(1)
				if id > int64(b.N) {
					return
				}
				if err := s.Change(ctx, func(ctx context.Context, tx *ent.Client) error { return insertMessage(ctx, tx, id) }, func() {}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	b.StopTimer()
	after := s.Stats()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/float64(b.N), "µs-cpu/row")
	b.ReportMetric(float64(after.Commits-before.Commits)/float64(b.N), "commits/row")
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkSQLite(b *testing.B) {
	b.Run("alone", func(b *testing.B) { clients(b, house.SQLite(b), 1) })
	b.Run("32", func(b *testing.B) { clients(b, house.SQLite(b), 32) })
	b.Run("128", func(b *testing.B) { clients(b, house.SQLite(b), 128) })
}

func BenchmarkPostgres(b *testing.B) {
	b.Run("alone", func(b *testing.B) { clients(b, house.PostgresStore(b), 1) })
	b.Run("32", func(b *testing.B) { clients(b, house.PostgresStore(b), 32) })
}

func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	for range b.N {
		s, err := db.Open(b.Context(), db.Options{Data: dir, Logger: silent})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

func BenchmarkRead(b *testing.B) {
	s := house.SQLite(b)
	if err := s.Change(b.Context(), func(ctx context.Context, tx *ent.Client) error { return insertMessage(ctx, tx, 1) }, nil); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Read().Message.Get(b.Context(), 1); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
