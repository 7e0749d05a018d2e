// Package search
package search
