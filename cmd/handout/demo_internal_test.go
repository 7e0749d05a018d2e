package main

import (
	"strconv"
	"testing"
)

func TestDemoRows_TellEveryStory(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 91, 99, 100, 101, 1000, 20_000} {
		endings, phones := map[int]int{}, map[string]bool{}
		for row, err := range demoRows(n) {
			if err != nil {
				t.Fatal(err)
			}
			ending, err := strconv.Atoi(row.Phone[len(row.Phone)-2:])
			if err != nil || row.Recipient != "customer-"+strconv.Itoa(len(phones)+1) {
				t.Errorf("%d: %s has a number that ends in %d, %v", n, row.Recipient, ending, err)
			}
			endings[ending]++
			phones[row.Phone] = true
		}
		if len(phones) != n {
			t.Errorf("%d different numbers of %d", len(phones), n)
		}
		if len(endings) != min(n, 100) {
			t.Errorf("%d: %d stories", n, len(endings))
		}
	}
}
