package bench_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/xuri/excelize/v2"

	"github.com/handout-dev/handout/internal/orderhistory/database"
	"github.com/handout-dev/handout/internal/orderhistory/sheet"
	"github.com/handout-dev/handout/internal/orderhistory/shop"
	"github.com/handout-dev/handout/test/program"
	"github.com/handout-dev/handout/test/redistest"
	"github.com/handout-dev/handout/test/s3test"
)

// BenchmarkOrderHistory runs orderhistory as a person would, in a process of its
// own, on a SQLite shop and a real S3 server on the same machine. The plain way
// is one customer after the other: a query, a workbook, an upload, a presigned
// link, a task; nothing is looked at and nothing is kept.
func BenchmarkOrderHistory(b *testing.B) {
	const (
		customers      = 10_000
		plainCustomers = 1_000
		orders         = 20
		mostSeconds    = 60
		mostResidentM  = 200
	)
	for b.Loop() {
		url := "sqlite:" + filepath.Join(b.TempDir(), "shop.db")
		err := shop.Generate(b.Context(), url, shop.GenerateOptions{
			Customers: customers, Orders: orders, Until: time.Now().UTC().Truncate(24 * time.Hour), Seed: 1,
		})
		if err != nil {
			b.Fatal(err)
		}
		took, resident := exportProcess(b, url)
		rate := customers / took.Seconds()
		plain := plainExport(b, url, plainCustomers)

		b.ReportMetric(took.Seconds(), "s")
		b.ReportMetric(rate, "customers/s")
		b.ReportMetric(resident, "MiB-resident")
		b.ReportMetric(plain, "plain-customers/s")
		b.ReportMetric(rate/plain, "ratio")
		table = append(table,
			line{"orderhistory: 10,000 customers", fmt.Sprintf("%.1f s, %s/s", took.Seconds(), count(rate)), count(plain) + "/s", ratio(rate, plain), "< 60 s", met(took < mostSeconds*time.Second)},
			line{"  its process, resident at most", fmt.Sprintf("%.0f MiB", resident), "", "", fmt.Sprintf("≤ %d MiB", mostResidentM), met(resident <= mostResidentM)},
		)
	}
	noTime(b)
}

// exportProcess returns how long an export took, and the most memory resident,
// in MiB.
func exportProcess(b *testing.B, shopURL string) (time.Duration, float64) {
	b.Helper()
	dir := b.TempDir()
	bin, err := program.Find("orderhistory", dir)
	if err != nil {
		b.Fatal(err)
	}
	redis := redistest.Start(b)
	defer redis.Kill()
	s3 := s3test.Start(b)
	cmd := exec.Command(bin, "run")
	cmd.Env = append(os.Environ(), "REDIS_URL="+redis.URL(), "ORDERHISTORY_SHOP="+shopURL,
		"ORDERHISTORY_STATE=sqlite:"+filepath.Join(dir, "state.db"), "ORDERHISTORY_S3_BUCKET="+s3test.Bucket,
		"ORDERHISTORY_S3_ENDPOINT="+s3.Endpoint, "ORDERHISTORY_S3_ACCESS_KEY="+s3test.AccessKey, "ORDERHISTORY_S3_SECRET_KEY="+s3test.SecretKey)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	start := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	done := make(chan float64)
	go func() { done <- peakResident(cmd.Process.Pid) }()
	err = cmd.Wait()
	took := time.Since(start)
	resident := <-done
	if err != nil {
		b.Fatalf("orderhistory: %v\n%s", err, said.String())
	}
	return took, resident
}

// plainExport returns how many customers per second the plain way does.
func plainExport(b *testing.B, shopURL string, n int) float64 {
	b.Helper()
	ctx := b.Context()
	redis := redistest.Start(b)
	defer redis.Kill()
	s3 := s3test.Start(b)
	client := asynq.NewClient(newPlain(b, redis).opt)
	defer client.Close()
	store, err := minio.New(s3.Endpoint[len("http://"):], &minio.Options{
		Creds: credentials.NewStaticV4(s3test.AccessKey, s3test.SecretKey, ""), Region: "us-east-1",
	})
	if err != nil {
		b.Fatal(err)
	}
	db, err := database.Open(ctx, shopURL)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	start := time.Now()
	for id := 1; id <= n; id++ {
		task := plainTask{Recipient: fmt.Sprint(id), FileName: "order history.xlsx"}
		var name string
		if err := db.QueryRowContext(ctx, "SELECT name, phone FROM customers WHERE id = ?", id).Scan(&name, &task.Phone); err != nil {
			b.Fatal(err)
		}
		content := plainSheet(ctx, b, db.DB, id)
		object := fmt.Sprintf("customer%d-order-history.xlsx", id)
		put := minio.PutObjectOptions{ContentType: sheet.ContentType}
		if _, err := store.PutObject(ctx, s3test.Bucket, object, content, int64(content.Len()), put); err != nil {
			b.Fatal(err)
		}
		link, err := store.PresignedGetObject(ctx, s3test.Bucket, object, 72*time.Hour, nil)
		if err != nil {
			b.Fatal(err)
		}
		task.URL = link.String()
		payload, err := json.Marshal(task)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := client.Enqueue(asynq.NewTask(plainType, payload)); err != nil {
			b.Fatal(err)
		}
	}
	return float64(n) / time.Since(start).Seconds()
}

// plainSheet is a workbook as excelize's first page of documentation makes it,
// with the same columns and styles.
func plainSheet(ctx context.Context, b *testing.B, db *sql.DB, customer int) *bytes.Buffer {
	b.Helper()
	check := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	rows, err := db.QueryContext(ctx, `SELECT o.id, o.ordered_at, i.item, i.quantity, i.unit_cents FROM orders o
		JOIN order_items i ON i.order_id = o.id WHERE o.customer_id = ? ORDER BY o.ordered_at, o.id, i.line`, customer)
	check(err)
	defer rows.Close()
	f := excelize.NewFile()
	defer f.Close()
	dateFormat, amountFormat := "yyyy-mm-dd hh:mm", "#,##0.00"
	date, err := f.NewStyle(&excelize.Style{CustomNumFmt: &dateFormat})
	check(err)
	amount, err := f.NewStyle(&excelize.Style{CustomNumFmt: &amountFormat})
	check(err)
	check(f.SetSheetRow("Sheet1", "A1", &[]any{"Order", "Date", "Item", "Quantity", "Unit price", "Amount"}))
	n, total := 2, int64(0)
	for ; rows.Next(); n++ {
		var order, quantity, cents int64
		var at, item string
		check(rows.Scan(&order, &at, &item, &quantity, &cents))
		moment, err := time.Parse(time.DateTime, at)
		check(err)
		for column, value := range map[string]any{
			"A": order, "B": moment, "C": item, "D": quantity, "E": float64(cents) / 100, "F": float64(quantity*cents) / 100,
		} {
			check(f.SetCellValue("Sheet1", fmt.Sprintf("%s%d", column, n), value))
		}
		check(f.SetCellStyle("Sheet1", fmt.Sprintf("B%d", n), fmt.Sprintf("B%d", n), date))
		check(f.SetCellStyle("Sheet1", fmt.Sprintf("E%d", n), fmt.Sprintf("F%d", n), amount))
		total += quantity * cents
	}
	check(rows.Err())
	check(f.SetCellValue("Sheet1", fmt.Sprintf("F%d", n), float64(total)/100))
	content, err := f.WriteToBuffer()
	check(err)
	return content
}
